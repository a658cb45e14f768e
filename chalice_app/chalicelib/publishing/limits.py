"""Limits of a bundle."""

from dataclasses import dataclass

from chalicelib.configuration.deployment import GIGABYTE
from chalicelib.publishing.errors import BadBundle


@dataclass(frozen=True, slots=True)
class BundleLimits:
    """The limits, which are those of shinyapps.io except for the ratio."""

    files: int = 6_000
    """Most files; links count as files."""
    unpacked: int = GIGABYTE
    """Most bytes of all files together."""
    ratio: int = 100
    """Most bytes of all files for one byte of the archive; applies from :attr:`ratio_from` on."""
    ratio_from: int = 100 * 1024**2

    @property
    def entries(self) -> int:
        """Most entries of an archive, including ignored ones, and most files and folders made.

        Each takes memory, and time on the disk.
        """
        return 4 * self.files


def too_many(bundle: str, limits: BundleLimits) -> BadBundle:
    """Return the error for an archive with too many entries."""
    return BadBundle(
        f"bundle {bundle}: it has more than {limits.entries:,} entries; leave data out, or pack it"
    )
