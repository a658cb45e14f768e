"""The scopes of a file: what holds where, by which directive. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chalicelib.configuration.shiny_server_conf.directives.schema import Scope as Place
from chalicelib.configuration.shiny_server_conf.findings import Position
from chalicelib.configuration.shiny_server_conf.use import Use

LONGEST_PATH = 500
"""The most characters of a location's whole path. It keeps the work linear in the file's size."""
MODELS = ("site_dir", "app_dir", "user_dirs", "user_apps", "redirect")
"""The hosting models: the directives that say what a location leads to."""


@dataclass(slots=True)
class Scope:
    """The top level, a server or a location, with the directives that stand in it."""

    place: Place
    use: Use | None
    """The directive whose block it is; None for the top level."""
    parent: "Scope | None"
    segments: tuple[str, ...] = ()
    """A location's whole path, cut at its slashes."""
    too_long: bool = False
    """Whether the path is longer than allowed; then it is that of the location around."""
    uses: dict[str, list[Use]] = field(default_factory=dict)
    """The scope's own directives by name, other than servers and locations."""
    children: "list[Scope]" = field(default_factory=list)

    @property
    def position(self) -> Position:
        assert self.use is not None, "only the top level has no directive"
        return self.use.position

    @property
    def path(self) -> str:
        """A location's whole path, without a slash at its end: ``""`` for ``/``."""
        return "".join(f"/{segment}" for segment in self.segments)

    @property
    def title(self) -> str:
        """The scope in words."""
        return "top level" if self.use is None else self.use.words

    def own(self, name: str) -> Use | None:
        """Return the directive of this scope; the first, if there are several."""
        return next(iter(self.uses.get(name, ())), None)

    def chain(self) -> "Iterator[Scope]":
        """Yield this scope and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def find(self, name: str) -> Use | None:
        """Return the nearest directive that holds here."""
        return next((use for scope in self.chain() if (use := scope.own(name))), None)

    def model(self) -> "tuple[Scope, Use] | None":
        """Return the nearest hosting model, with the location that declares it."""
        for scope in self.chain():
            for name in MODELS:
                use = scope.own(name)
                if use is not None:
                    return scope, use
        return None

    def locations(self) -> "Iterator[Scope]":
        """Yield the locations below in Shiny Server's order: nested ones before their parent."""
        for child in self.children:
            yield from child.locations()
            yield child


def arrange(uses: Sequence[Use]) -> Scope:
    """Return the top level of a file."""
    top = Scope(Place.TOP, None, None)
    _fill(top, uses)
    return top


def _fill(scope: Scope, uses: Sequence[Use]) -> None:
    for use in uses:
        inside = use.directive.block
        if use.name in ("server", "location") and inside is not None:
            segments = scope.segments
            if use.name == "location":
                segments += tuple(_segments((use.values["path"] or "")[: LONGEST_PATH + 2]))
            too_long = sum(map(len, segments)) + len(segments) > LONGEST_PATH
            child = Scope(
                inside, use, scope, scope.segments if too_long else segments, too_long=too_long
            )
            scope.children.append(child)
            _fill(child, use.children)
        else:
            scope.uses.setdefault(use.name, []).append(use)


def _segments(path: str) -> list[str]:
    """Cut a location's path; slashes at its ends do not count."""
    stripped = path.strip("/")
    return stripped.split("/") if stripped else []
