"""Passwords and their hashes, in the format of Percival's scrypt as ``sspasswd`` writes it.

A hash is Base64 of 96 bytes: ``scrypt``, a version, log2 of N, r, p, a salt of 32 bytes, the start
of a SHA-256 over what stands before it, and an HMAC whose key scrypt makes of the password.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple, Self

from chalicelib.identity.errors import BadHash, BadUser

LONGEST = 1024
"""Bytes of a password in UTF-8."""
SHORTEST = 8
"""Characters of a new password."""
MOST_MEMORY = 256 * 1024 * 1024
"""Bytes that checking one password may take."""
_MOST_WORK = 1 << 22
"""N times r times p: the time that checking one password may take."""
_LENGTH, _SALT = 96, 32
_TEXT_LENGTH = 128
_MAGIC = b"scrypt\x00"


class PasswordHash(NamedTuple):
    """A hash, taken apart."""

    log_n: int
    r: int
    p: int
    salt: bytes
    proof: bytes
    """The HMAC, of 32 bytes."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hash; raise :class:`BadHash`, which says what is wrong with it.

        Nothing is computed with the parameters before they are known to be bearable.
        """
        if len(text) != _TEXT_LENGTH:
            raise BadHash(f"the hash has {len(text)} characters instead of {_TEXT_LENGTH}")
        try:
            raw = base64.b64decode(text.encode("ascii"), validate=True)
        except (ValueError, binascii.Error):
            raise BadHash("the hash is not Base64") from None
        if len(raw) != _LENGTH:
            raise BadHash(f"the hash has {len(raw)} bytes instead of {_LENGTH}")
        if not raw.startswith(_MAGIC):
            raise BadHash("the hash is none of scrypt's, version 0")
        if not hmac.compare_digest(hashlib.sha256(raw[:48]).digest()[:16], raw[48:64]):
            raise BadHash("the hash is damaged: its checksum is wrong")
        found = cls(
            raw[7],
            int.from_bytes(raw[8:12]),
            int.from_bytes(raw[12:16]),
            raw[16:48],
            raw[64:],
        )
        if not (1 <= found.log_n < 64 and found.r and found.p):
            raise BadHash("the hash has impossible parameters")
        if found.memory > MOST_MEMORY or (found.r * found.p) << found.log_n > _MOST_WORK:
            raise BadHash(
                f"the hash asks for {found.memory:,} bytes of memory or too much time; at most "
                f"{MOST_MEMORY:,} bytes are allowed. Give the user a new password"
            )
        return found

    @property
    def memory(self) -> int:
        """The bytes of memory that checking a password takes."""
        return 128 * self.r * ((1 << self.log_n) + self.p)

    @property
    def is_weak(self) -> bool:
        """Whether it is cheaper to guess than those made today."""
        return (self.r * self.p) << self.log_n < (R * P) << LOG_N

    def __str__(self) -> str:
        head = self._head()
        checked = head + hashlib.sha256(head).digest()[:16]
        return base64.b64encode(checked + self.proof).decode("ascii")

    def made(self, password: str) -> Self:
        """Return the hash of a password with these parameters and this salt."""
        return self._replace(proof=self.proof_of(password))

    def _head(self) -> bytes:
        numbers = bytes([self.log_n]) + self.r.to_bytes(4) + self.p.to_bytes(4)
        return _MAGIC + numbers + self.salt

    def proof_of(self, password: str) -> bytes:
        """Return the HMAC that the hash would have if this were its password."""
        head = self._head()
        key = hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=self.salt,
            n=1 << self.log_n,
            r=self.r,
            p=self.p,
            maxmem=MOST_MEMORY + 1024 * 1024,
            dklen=64,
        )[32:]
        return hmac.new(key, head + hashlib.sha256(head).digest()[:16], hashlib.sha256).digest()


LOG_N, R, P = 16, 8, 1
"""The parameters of new hashes: 64 MB, and about 0.2 s on a whole processor."""
_NOBODY = PasswordHash(LOG_N, R, P, bytes(_SALT), bytes(32))
"""Stands for the hash of a user who does not exist. No password is right."""


def made(password: str, salt: bytes) -> PasswordHash:
    """Return the hash of a new password, with 32 random bytes as ``salt``."""
    return PasswordHash(LOG_N, R, P, salt, b"").made(password)


def is_right(password: str, known: PasswordHash | None) -> bool:
    """Return whether a password is that of a hash; ``known`` is None if there is no such user.

    This takes the same time for every hash that is not stronger than new ones, and for none: what
    a weaker hash saves is spent on hashes that nobody has.
    """
    found = known or _NOBODY
    if not password or is_too_long(password):
        return False
    right = hmac.compare_digest(found.proof_of(password), found.proof)
    if found.r == R and found.p == P:
        for log_n in range(found.log_n, LOG_N):  # 2^n + 2^n + 2^(n+1) + … = 2^LOG_N
            _NOBODY._replace(log_n=log_n).proof_of(password)
    return right and known is not None


def is_too_long(password: str) -> bool:
    """Return whether nobody has such a long password."""
    return len(password) > LONGEST or len(password.encode("utf-8", "surrogatepass")) > LONGEST


def checked(password: str) -> str:
    """Return a password if it may become somebody's; raise :class:`BadUser`."""
    if len(password) < SHORTEST:
        raise BadUser(f"the password has {len(password)} characters; it needs {SHORTEST}")
    if is_too_long(password):
        raise BadUser(f"the password has more than {LONGEST} bytes")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise BadUser("the password has a control character, which no form sends")
    return password
