"""What a configuration says above an app, as it travels to the app's instances. Pure.

A Lambda finds the layers and writes them into the row of the app's instance; the agent resolves the
app's settings with them.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.configuration.declaring import OPERATORS, LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer, Origin

LONGEST = 30_000
"""The most characters of the layers above one app; they are in the row of each instance."""


@dataclass(frozen=True)
class Above:
    """The layers between the deployment and the bundle, the farthest first."""

    layers: tuple[Layer, ...] = ()
    number: int = 0
    """The number of the change that brought the configuration; a later change has a greater one.

    0: no configuration was ever applied.
    """

    @cached_property
    def text(self) -> str:
        """The layers as text; raise :class:`BadAppSetting` if there is too much of it."""
        said = [
            [layer.origin.kind, layer.origin.where, dict(layer.values), dict(layer.at)]
            for layer in self.layers
            if layer.values
        ]
        if not said:
            return ""
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        if len(text) > LONGEST:
            raise BadAppSetting(
                f"{self.layers[-1].origin}: the settings here and around it have {len(text):,} "
                f"characters; {LONGEST:,} are allowed: shorten them, or set fewer"
            )
        return text

    @classmethod
    def of_text(cls, text: str, number: int = 0) -> "Above":
        """Return what :attr:`text` says."""
        return cls(tuple(map(_layer, json.loads(text))) if text else (), number)

    def replaces(self, text: str, number: int) -> bool:
        """Return whether these layers take the place of others, given their text and number.

        Only a later change replaces an earlier one. So two Lambdas, of which one has not heard of a
        change yet, do not undo what the other does, and neither do two locations of one app.
        """
        return self.number > number and self.text != text


NOTHING = Above()


def _layer(said: Any) -> Layer:
    kind, where, values, at = said
    if kind not in OPERATORS:
        raise ValueError(f"{kind} is no layer of an operator")
    return Layer(Origin(LayerKind(kind), where), values, at)
