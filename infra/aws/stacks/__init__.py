"""CloudFormation stacks, one file each; ``infra.aws.synth`` defines their order."""
