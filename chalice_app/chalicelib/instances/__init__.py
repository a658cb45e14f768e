"""Instances: each is one Fargate task that serves one version.

An instance goes STARTING → READY → DRAINING → STOPPED. Each step is conditional on the one before.
"""
