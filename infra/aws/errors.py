"""The errors of deploying.

::

    DeployError (a SheenError)
    ├── BadStage         (a stage's settings file: which file, key and value, and the rule)
    └── NotSynthesised   (the templates break a rule; which, and where)
"""

from chalicelib.errors import Broken


class DeployError(Broken):
    """Something keeps a deployment from being planned, deployed or taken down."""


class BadStage(DeployError):
    """A stage's settings file has an impossible value."""


class NotSynthesised(DeployError):
    """The templates cannot be made, or break a rule of cdk-nag."""
