"""The AWS services that Sheen uses, on one machine and at one endpoint: ``python -m infra.local``."""
