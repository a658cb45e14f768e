"""Sends files of trees: by the function itself, or by S3 if they are too large for it."""

import gzip
from collections.abc import Callable

from chalicelib.apps.folder_contents import File
from chalicelib.apps.trees import Trees
from chalicelib.aws.signing import CredentialSource
from chalicelib.aws.sigv4 import Credentials
from chalicelib.bodies.links import Links
from chalicelib.bodies.presign import Signing
from chalicelib.configuration.limits import LARGEST_ANSWER, LINK_SECONDS
from chalicelib.visits.answer import Answer
from chalicelib.visits.files import Sending, sending
from chalicelib.visits.media_types import media_type
from chalicelib.visits.request import VisitorRequest

LARGEST_PACKED = 24 * 1024 * 1024
"""Bytes of the largest page that is compressed to fit into an answer.

On S3's own host, a page's relative links would lead nowhere.
"""


class Sender:
    """Sends files.

    :param credentials: returns what signs the links to S3, made when it is first used.
    """

    def __init__(
        self,
        trees: Trees,
        links: Links,
        credentials: Callable[[], CredentialSource],
        clock: Callable[[], float],
    ) -> None:
        self._trees = trees
        self._links = links
        self._credentials = credentials
        self._clock = clock

    def send(self, request: VisitorRequest, path: str, file: File) -> Answer:
        """Answer a request for a file; raise :class:`FileChanged` if it is another one by now."""
        planned = sending(request, file)
        if planned.length <= LARGEST_ANSWER:
            body = self._trees.read(path, file, planned.first, planned.length)
            return Answer(planned.status, planned.headers, body)
        packed = self._packed(request, path, file, planned)
        return packed if packed is not None else self._by_s3(request, path, file)

    def _packed(
        self, request: VisitorRequest, path: str, file: File, planned: Sending
    ) -> Answer | None:
        """Return a large page compressed, if the visitor takes that and it fits."""
        if (
            planned.status != 200
            or file.size > LARGEST_PACKED
            or not media_type(file.name).startswith("text/html")
            or "gzip" not in request.header("accept-encoding").lower()
        ):
            return None
        body = gzip.compress(self._trees.read(path, file, 0, file.size), 5, mtime=0)
        if len(body) > LARGEST_ANSWER:
            return None
        headers = (*planned.headers, ("content-encoding", "gzip"), ("vary", "Accept-Encoding"))
        return Answer(200, headers, body)

    def _by_s3(self, request: VisitorRequest, path: str, file: File) -> Answer:
        """Redirect to the file in the bucket; a range that was asked for is asked for there."""
        found = self._credentials().get_frozen_credentials()
        signing = Signing(
            self._links.region, Credentials(found.access_key, found.secret_key, found.token)
        )
        method = "HEAD" if request.method == "HEAD" else "GET"
        url = self._links.link(
            signing,
            method,
            self._trees.key(path),
            request.host,
            self._clock(),
            LINK_SECONDS,
            {
                "response-cache-control": "private, no-cache",
                "response-content-type": media_type(file.name),
            },
        )
        return Answer.redirect(url, 307 if request.method in ("GET", "HEAD") else 303)
