"""An instance: one Fargate task, serving one version. STARTING → READY → DRAINING → STOPPED, each step conditional on the one before."""
