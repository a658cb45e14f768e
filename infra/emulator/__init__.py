"""The AWS services of a deployment, on one machine at one endpoint.

Each folder is one service, or what the services share. What is deployed comes in as arguments.
"""
