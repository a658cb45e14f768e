"""The callers: principals and their access keys.

``admin`` (the owner of the emulator), each ``machine:<name>`` (the Step Functions engine, running
that state machine) and each ``function:<name>`` have lasting keys. These are made at the first run
and kept readable only by their owner. A ``task:<id>`` has temporary credentials as long as it runs,
a ``role:<name>`` (:mod:`infra.emulator.rights.files`) for an hour. :mod:`infra.emulator.rights`
defines what each may do.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

ADMIN = "admin"
DATASYNC = "service:datasync"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key and its principal."""

    principal: str
    key_id: str
    secret: str
    token: str = ""
    """Session token that must come with the key; empty for lasting keys."""

    def environment(self) -> dict[str, str]:
        """Return the variables from which every SDK reads the key."""
        variables = {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret}
        if self.token:
            variables["AWS_SESSION_TOKEN"] = self.token
        return variables


def _new_key(principal: str, prefix: str, token: str = "") -> AccessKey:
    key_id = prefix + "".join(secrets.choice(_BASE32) for _ in range(16))
    return AccessKey(principal, key_id, secrets.token_urlsafe(30), token)


class Keys:
    """All valid keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_id: dict[str, AccessKey] = {}
        self._lasting: dict[str, AccessKey] = {}
        if path.exists():
            for entry in json.loads(path.read_text()):
                self._add(AccessKey(**entry))

    def lasting(self, principal: str) -> AccessKey:
        """Return the principal's key, which is made and kept if it has none."""
        if principal not in self._lasting:
            self._add(_new_key(principal, "AKIA"))
            self._write()
        return self._lasting[principal]

    def temporary(self, principal: str) -> AccessKey:
        """Return credentials that are valid until :meth:`revoke`, and are not kept."""
        key = _new_key(principal, "ASIA", secrets.token_urlsafe(48))
        self._by_id[key.key_id] = key
        return key

    def revoke(self, key: AccessKey) -> None:
        """Revoke temporary credentials."""
        self._by_id.pop(key.key_id, None)

    def find(self, key_id: str) -> AccessKey | None:
        """Return the key with that id, or None."""
        return self._by_id.get(key_id)

    def _add(self, key: AccessKey) -> None:
        self._by_id[key.key_id] = key
        self._lasting[key.principal] = key

    def _write(self) -> None:
        entries = [
            {"principal": key.principal, "key_id": key.key_id, "secret": key.secret}
            for key in self._lasting.values()
        ]
        unfinished = self._path.with_suffix(".new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(entries, file, indent=1)
        unfinished.replace(self._path)
