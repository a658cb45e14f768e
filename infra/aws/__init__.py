"""Sheen on AWS, behind ``make plan``, ``make deploy`` and ``make destroy``.

``settings`` reads ``stages/<stage>.toml``. From that and from ``infra.declared``, ``synth`` makes
CloudFormation templates, offline.
"""
