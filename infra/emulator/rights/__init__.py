"""Enforce every component's rights: check each AWS call against the policy of its role, like IAM.

* :mod:`policy` decides: policy documents and a need in, a verdict out.
* :mod:`needs` defines which actions on which resources a call needs; services with many rules have
  a module of their own.
* :mod:`guard` knows the role of each caller, refuses calls, and records what was used.
"""

from infra.emulator.rights.guard import Guard
from infra.emulator.rights.needs import Needs
from infra.emulator.rights.policy import NeededRight, Policy
from infra.emulator.rights.role import RoleDocuments

__all__ = ["Guard", "NeededRight", "Needs", "Policy", "RoleDocuments"]
