"""Names of AWS's resources."""

from typing import Self


class Arn(str):
    """An ARN: ``arn:<partition>:<service>:<region>:<account>:<resource>``; empty: none."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check the form; raise ValueError.

        >>> Arn.parse("arn:aws:ecs:eu-central-1:123456789012:cluster/sheen-prod").resource
        'cluster/sheen-prod'
        """
        if text and not (text.startswith("arn:") and text.count(":") >= _COLONS):
            raise ValueError
        return cls(text)

    @property
    def resource(self) -> str:
        """The part after the account."""
        return self.split(":", _COLONS)[-1]

    def beside(self, name: str) -> "Arn":
        """Return the ARN of another resource of the same type, by its name after the last colon.

        >>> Arn("arn:aws:states:eu-central-1:123456789012:stateMachine:a").beside("b")
        'arn:aws:states:eu-central-1:123456789012:stateMachine:b'
        """
        return Arn(f"{self.rpartition(':')[0]}:{name}")


_COLONS = 5
NONE = Arn()
