"""Enforce every component's rights: check each AWS call against the policy of its role, like IAM.

* :mod:`policy` decides: policy documents and a need in, a verdict out.
* :mod:`needs` defines which actions on which resources a call needs; services with many rules have
  a module of their own.
* :mod:`guard` knows the role of each caller, refuses calls, and records what was used.
"""

from infra.local.rights.guard import Guard
from infra.local.rights.needs import Needs
from infra.local.rights.policy import Need, Policy
from infra.local.rights.role import Role

__all__ = ["Guard", "Need", "Needs", "Policy", "Role"]
