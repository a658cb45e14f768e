"""Every component's rights, enforced: each of its AWS calls is held against its role's policy, as IAM does it.

* :mod:`policy` decides: policy documents and a need in, a verdict out.
* :mod:`needs` says which actions on which resources a call needs; one module per service that has much to say.
* :mod:`guard` knows who has which role, refuses, and remembers what was used.
"""

from infra.local.rights.guard import Guard
from infra.local.rights.policy import Need

__all__ = ["Guard", "Need"]
