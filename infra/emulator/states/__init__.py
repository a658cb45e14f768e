"""Step Functions: corrections of moto's engine."""
