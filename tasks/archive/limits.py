"""What a bundle may hold."""

from dataclasses import dataclass

from chalicelib.configuration.deployment import GIGABYTE
from chalicelib.publishing.errors import BadBundle


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers are those of shinyapps.io, but for the ratio."""

    files: int = 6_000
    """Links count as files."""
    unpacked: int = GIGABYTE
    """Bytes of all files together."""
    ratio: int = 100
    """Bytes of all files for one byte of the archive; holds from :attr:`ratio_from` on."""
    ratio_from: int = 100 * 1024**2

    @property
    def entries(self) -> int:
        """All that an archive may list, what is left out included, and all files and folders that it may make: each takes memory, and time
        on the disk."""
        return 4 * self.files


def too_many(bundle: str, limits: Limits) -> BadBundle:
    """The error of an archive with too many entries."""
    return BadBundle(f"bundle {bundle}: it has more than {limits.entries:,} entries; leave data out, or pack it")
