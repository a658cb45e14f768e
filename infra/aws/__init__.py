"""Sheen on AWS: what ``make plan``, ``make deploy`` and ``make destroy`` do.

``settings`` reads ``stages/<stage>.toml``; ``synth`` makes CloudFormation templates of it and of ``infra.declared``, offline.
"""
