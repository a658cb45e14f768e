"""Task tokens name their state machine, because answering one needs the right to that machine."""

_MACHINE_ENDS = "~"


def token_of(machine: str, unique: str) -> str:
    """Return the token of a state of the machine with this full name."""
    return f"{machine}{_MACHINE_ENDS}{unique}"


def machine_of(token: str) -> str:
    """Return the full name of a token's state machine; empty if it is not a token."""
    return token.partition(_MACHINE_ENDS)[0] if _MACHINE_ENDS in token else ""
