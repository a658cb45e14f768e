"""The rates that the APIs' stages accept, which ``chalice deploy`` cannot set.

They count the requests of all visitors together.
"""

from typing import Any

from infra.declared import Place


def set_throttles(
    rest: Any, sockets: Any, place: Place, *, rest_api: str, websocket_api: str
) -> None:
    """Set the limits of both APIs' stages.

    ``rest`` and ``sockets`` are boto3's clients of API Gateway, for REST and for WebSocket APIs.
    Chalice makes deployments of these stages, but leaves their settings alone.
    """
    throttle = place.throttle
    limits = {"rateLimit": throttle.requests_per_second, "burstLimit": throttle.request_burst}
    rest.update_stage(
        restApiId=rest_api,
        stageName=place.api_stage,
        patchOperations=[
            {"op": "replace", "path": f"/*/*/throttling/{name}", "value": f"{value:g}"}
            for name, value in limits.items()
        ],
    )
    sockets.update_stage(
        ApiId=websocket_api,
        StageName=place.api_stage,
        DefaultRouteSettings={
            "ThrottlingRateLimit": throttle.messages_per_second,
            "ThrottlingBurstLimit": throttle.message_burst,
        },
    )
