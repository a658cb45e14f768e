"""Bodies too large for a Lambda, between R and S3; :mod:`chalicelib.bodies` decides."""

from agent.http.bodies.answers import LateAnswers
from agent.http.bodies.handover import Handover
from agent.http.bodies.kept import KeptAnswers
from agent.http.bodies.objects import Objects
from agent.http.bodies.pages import LatePages
from agent.http.bodies.service import LargeBodies
from agent.http.bodies.uploads import Uploads

__all__ = [
    "Handover",
    "KeptAnswers",
    "LargeBodies",
    "LateAnswers",
    "LatePages",
    "Objects",
    "Uploads",
]
