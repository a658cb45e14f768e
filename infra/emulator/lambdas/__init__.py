"""AWS Lambda on one machine: packaged functions, run by AWS's own runtime client (FACTS M5).

Each environment is a process.
"""
