"""Ceilings for apps' settings in a deployment, since its operator pays for what apps use. Pure.

A bundle or a change that exceeds a ceiling is refused. Settings that were stored before the ceiling
was set are cut to it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from chalicelib.configuration.app_settings import SIZES, AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Resolved


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The ceilings of one deployment; by default there are none.

    The operator sets them under ``[compute]``, by these names.
    """

    largest_size: str = SIZES[-1]
    """The largest ``size``."""
    most_instances_per_app: int = 0
    """The largest ``max_instances``; 0: any."""
    longest_idle: float = 0.0
    """The longest ``instance_idle_timeout`` and ``instance_unvisited_timeout``, in seconds.

    0: any, including forever.
    """

    def cut(self, settings: AppSettings) -> AppSettings:
        """Return the settings with every value cut to its ceiling."""
        size = min(settings.size, self.largest_size, key=SIZES.index)
        instances = min(
            settings.max_instances, self.most_instances_per_app or settings.max_instances
        )
        return replace(
            settings,
            size=size,
            max_instances=instances,
            start_count=min(settings.start_count, instances),
            instance_idle_timeout=self._cut_idle(settings.instance_idle_timeout),
            instance_unvisited_timeout=self._cut_idle(settings.instance_unvisited_timeout),
        )

    def held(self, wanted: Resolved) -> Resolved:
        """Return resolved settings with every value cut to its ceiling, which is named."""
        settings = self.cut(wanted.settings)
        cut = {
            name: ceiling
            for name, ceiling in _CEILINGS.items()
            if getattr(settings, name) != getattr(wanted.settings, name)
        }
        return replace(wanted, settings=settings, ceilings=cut)

    def check(self, settings: AppSettings, names: Collection[str]) -> None:
        """Raise :class:`BadAppSetting` if a setting in ``names`` exceeds its ceiling.

        The error names the ceiling.
        """
        held = self.cut(settings)
        for name, ceiling in _CEILINGS.items():
            if name in names and getattr(held, name) != getattr(settings, name):
                raise BadAppSetting(
                    f"setting {name} is {_plain(getattr(settings, name))}; this "
                    f"deployment allows {_plain(getattr(self, ceiling))} at most "
                    f"(its {ceiling}): choose no more than that, or ask its operator"
                )

    def _cut_idle(self, idle: float) -> float:
        return (
            self.longest_idle
            if self.longest_idle and (idle == 0 or idle > self.longest_idle)
            else idle
        )


_CEILINGS = {
    "size": "largest_size",
    "max_instances": "most_instances_per_app",
    "start_count": "most_instances_per_app",
    "instance_idle_timeout": "longest_idle",
    "instance_unvisited_timeout": "longest_idle",
}


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
