"""AWS Lambda on one machine: packaged functions, each environment a process on AWS's own runtime client (FACTS M5)."""
