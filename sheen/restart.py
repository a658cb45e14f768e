"""``sheen restart /PATH``: give new sessions new R processes.

Open sessions go on until they end.
"""

import json

from chalicelib.apps import locations
from chalicelib.configuration.deployment import Settings
from chalicelib.lives.restart import RestartCount, RestartEvent
from sheen.functions import call


def restart(settings: Settings, location: str) -> str:
    """Restart the app and return a message about it. Raise :class:`NoSuchApp`."""
    event: RestartEvent = {"location": locations.check(location), "mode": "restart"}
    told: RestartCount = json.loads(call(settings, "agents_restart", event))
    if told["not_told"]:
        return (
            f"{told['told']} instances were told, {told['not_told']} do not answer: `sheen "
            "status` shows them; try again in a minute"
        )
    if told["told"]:
        return f"{told['told']} instances were told: new sessions start afresh, open ones go on"
    return "the app sleeps: its next visitor starts it afresh"
