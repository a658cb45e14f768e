"""Archives that lie about themselves."""

import struct


def crowded_zip(entries: int) -> bytes:
    """Lists many entries in the least space that they can have, and says that there is one."""
    directory = (b"PK\x01\x02" + bytes(24) + b"\x01" + bytes(17) + b"x") * entries
    return (
        b"PK\x03\x04"
        + directory
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 4, 0)
    )
