"""Health check of an instance, for ECS and Docker: ``python3 -I -S health.py``; 0 is healthy.

It asks the agent, which judges R by its process and its socket, and never by how fast it answers
(FACTS R6). It needs the standard library only.
"""

import http.client
import json
import os
import sys
import urllib.request

PORT = 8080
"""A copy of ``PORT`` in ``chalicelib.agents.protocol``, which cannot be imported here."""
PATH = "/health"
"""A copy of ``HEALTH`` there."""
PATIENCE = 4.0
"""Seconds for each of two answers."""


def main() -> int:
    """Ask the agent; return the exit status."""
    try:
        with urllib.request.urlopen(  # noqa: S310
            os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task", timeout=PATIENCE
        ) as answer:
            address = json.load(answer)["Containers"][0]["Networks"][0]["IPv4Addresses"][0]
        connection = http.client.HTTPConnection(address, PORT, timeout=PATIENCE)
        connection.request("GET", PATH)
        response = connection.getresponse()
        sys.stdout.write(response.read().decode())
    except (OSError, KeyError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"the agent does not answer: {error!r}\n")
        return 1
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
