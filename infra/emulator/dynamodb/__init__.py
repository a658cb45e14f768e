"""What moto's DynamoDB lacks: limits, and streams that invoke functions."""
