"""CloudFormation stacks, one file each. ``infra.aws.synth`` says in which order they are put up."""
