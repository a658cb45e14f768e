"""The AWS services that Sheen uses, on one machine at one endpoint: ``python -m infra.local``."""
