"""ECS on one machine: each Fargate task is a process group."""
