"""A location's layers as those that apps' settings are resolved from. Pure."""

from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.layers import Layer, Origin
from chalicelib.configuration.shiny_server_conf.directives.schema import Scope
from chalicelib.configuration.shiny_server_conf.model import Block, Location

_KINDS = {
    Scope.TOP: LayerKind.DEPLOYMENT,
    Scope.SERVER: LayerKind.SERVER,
    Scope.LOCATION: LayerKind.LOCATION,
}


def setting_layers(place: Location | Block) -> list[Layer]:
    """Return the settings of a place's layers, the farthest first, each with file and line."""
    return [
        Layer(
            Origin(_KINDS[layer.place], f"{layer.position.file}:{layer.position.line}"),
            {name: value.value for name, value in layer.settings.items()},
            {
                name: f"{value.position.file}:{value.position.line}"
                for name, value in layer.settings.items()
            },
        )
        for layer in place.layers
    ]
