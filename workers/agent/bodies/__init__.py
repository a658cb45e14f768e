"""Bodies too large for a Lambda, on their way between R and S3; :mod:`chalicelib.bodies` decides."""

from agent.bodies.answers import Answers
from agent.bodies.handover import Handover
from agent.bodies.objects import Objects
from agent.bodies.pages import LatePages
from agent.bodies.service import LargeBodies
from agent.bodies.uploads import Uploads

__all__ = ["Answers", "Handover", "LargeBodies", "LatePages", "Objects", "Uploads"]
