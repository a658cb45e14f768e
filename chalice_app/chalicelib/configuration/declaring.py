"""How a setting is declared: as a field of a dataclass that carries its rule. Pure.

A declaration is all that there is to say about a setting: its name and type (the field's), its
default, the rule for its values with an example, the layers in which it may stand, and, in the
docstring below the field, its meaning. The settings of apps (:mod:`app_settings`), of a deployment
(:mod:`deployment`), of a stage (:mod:`infra.aws.settings`) and of the local stack
(:mod:`infra.local.settings`) are declared so, and ``docs/settings.md`` is made from them.
"""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from typing import Any

from chalicelib.configuration.rules import Rule


class LayerKind(StrEnum):
    """The layers of an app's settings, from the farthest to the nearest; the nearest wins."""

    DEFAULT = "default"
    """Sheen itself."""
    DEPLOYMENT = "deployment"
    """The stage, or on one machine the environment of the local stack."""
    SERVER = "server"
    LOCATION = "location"
    BUNDLE = "bundle"
    """``sheen.toml`` of the active version."""
    APP = "app"
    """The app itself, by ``sheen configure``."""


OPERATORS = frozenset({LayerKind.DEPLOYMENT, LayerKind.SERVER, LayerKind.LOCATION})
"""Layers that only an operator writes."""
AUTHORS = frozenset({LayerKind.BUNDLE, LayerKind.APP})
"""Layers that authors write."""
ANYWHERE = OPERATORS | AUTHORS


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a field's declaration says beside its type and its default."""

    rule: Rule | None = None
    """The rule for values, in addition to the type; it is not applied to the default."""
    within: frozenset[LayerKind] = ANYWHERE
    """Layers in which the setting may stand."""
    directive: str = ""
    """The directive of Shiny Server that the setting answers."""
    section: str = ""
    """The heading under which ``docs/settings.md`` shows the setting."""
    see: str = ""
    """A page, with its anchor, that says more, as in ``author.md#secrets``."""

    @property
    def for_authors(self) -> bool:
        """Whether authors may set it, and not only the operator."""
        return bool(self.within & AUTHORS)


_KEY = "declaration"


def setting(
    rule: Rule | None = None,
    *,
    within: frozenset[LayerKind] = ANYWHERE,
    directive: str = "",
    section: str = "",
    see: str = "",
    **default: Any,
) -> Any:
    """Declare a setting; the parameters are those of :class:`Declaration`.

    ``default`` and ``default_factory`` are those of :func:`dataclasses.field`.
    """
    declaration = Declaration(rule, within, directive, section, see)
    return field(metadata={_KEY: declaration}, **default)


def declaration(of: "Field[Any]") -> Declaration | None:
    """Return a field's declaration; None if it was not made by :func:`setting`."""
    found: Declaration | None = of.metadata.get(_KEY)
    return found


def declared(cls: Any) -> Mapping[str, Declaration]:
    """Return the declarations of a dataclass, by name, in their order."""
    found = {one.name: declaration(one) for one in fields(cls)}
    return {name: said for name, said in found.items() if said is not None}
