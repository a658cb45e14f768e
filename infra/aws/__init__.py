"""Sheen on AWS, behind ``make plan``, ``make deploy`` and ``make destroy``."""
