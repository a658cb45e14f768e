"""Files that browsers upload by S3: wishes, links to parts, and the way to R."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError
from multidict import CIMultiDict, CIMultiDictProxy

from agent.failure import WorkerFailed
from agent.http.bodies.handover import Handover, WorkerAnswer
from agent.http.bodies.objects import Objects
from agent.log import logger
from chalicelib.agents import protocol
from chalicelib.bodies import keys
from chalicelib.bodies.errors import BadUpload, NoHost, UnknownUpload
from chalicelib.bodies.uploads import UPLOADS, Parts, UploadState, Wish, ticket_of
from chalicelib.configuration.limits import (
    LARGEST_REQUEST,
    MOST_UPLOADS,
    PART_LINK_SECONDS,
    PATIENCE,
)
from chalicelib.instances.model import InstanceRef

REMEMBERED = 600.0
"""Seconds that R's answer to a file is kept for a browser that did not get it."""
_NO_STORE = {"Cache-Control": "no-store"}
_ACTIONS = ("links", "complete", "wait", "abort")
"""What a page may ask for an upload that has begun."""
_BUSY = (UploadState.OPEN, UploadState.HANDING)


class _Upload:
    def __init__(self, session_id: str, wish: Wish, key: str) -> None:
        self.session_id = session_id
        self.wish = wish
        self.parts = Parts.of(wish.size)
        self.key = key
        self.s3_id = ""
        self.state = UploadState.OPEN
        self.given = 0
        self.reply: WorkerAnswer | None = None
        self.message = ""
        self.task: asyncio.Task[None] | None = None

    def told(self) -> dict[str, Any]:
        """Return what the browser is told."""
        said: dict[str, Any] = {"state": self.state, "given": self.given, "message": self.message}
        if self.reply is not None:
            said |= {
                "status": self.reply.status,
                "statusText": self.reply.reason,
                "headers": self.reply.headers,
                **self.reply.told(),
            }
        return said


class Uploads:
    """The uploads of this instance's sessions.

    An upload belongs to the session of the ticket with which it began, and each request about it
    shows a ticket of that session. It begins only if R has agreed to take a file of that size at
    that URL.

    :param session_of: returns the session of a ticket; None if the ticket is not good.
    :param is_live: returns whether a session has a seat.
    :param accepts: returns whether a session's page may send what it wishes to send.
    :param largest: returns how many bytes a file may have (the app's ``largest_upload``).
    """

    def __init__(
        self,
        ref: InstanceRef,
        objects: Objects,
        handover: Handover,
        session_of: Callable[[str], str | None],
        is_live: Callable[[str], bool],
        accepts: Callable[[str, Wish], bool],
        largest: Callable[[], int],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._ref = ref
        self._objects = objects
        self._handover = handover
        self._session_of = session_of
        self._is_live = is_live
        self._accepts = accepts
        self._largest = largest
        self._patience = patience
        self._uploads: dict[str, _Upload] = {}
        self._clearing: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a file is being given to R."""
        return any(upload.state is UploadState.HANDING for upload in self._uploads.values())

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """Answer a page's request below :data:`chalicelib.bodies.uploads.UPLOADS`."""
        upload_id, _, action = path.removeprefix(UPLOADS).removeprefix("/").partition("/")
        if request.method != "POST" or action not in (_ACTIONS if upload_id else ("",)):
            return _said(405, {"message": f"{request.method} is not for {path[:80]}"})
        try:
            body = await _read(request)
            if not upload_id:
                return _said(201, await self._begin(body))
            upload = self._find(upload_id, ticket_of(body))
            match action:
                case "links":
                    return _said(
                        200, await self._links(upload, body, request.headers.get("Host", ""))
                    )
                case "complete":
                    return _said(200, await self._complete(upload, request))
                case "abort":
                    await self._abort(upload_id)
                    return web.Response(status=204)
                case _:
                    return _said(200, await self._wait(upload))
        except (UnknownUpload, BadUpload, NoHost) as error:
            return _said(error.status, {"message": str(error)})
        except (ClientError, BotoCoreError) as error:
            logger.exception("S3 did not do what an upload needs")
            return _said(502, {"message": f"the file's storage does not work: {error}"})

    async def end(self, session_id: str) -> None:
        """Abort the uploads of a session that has ended."""
        for upload_id in [
            upload_id
            for upload_id, upload in self._uploads.items()
            if upload.session_id == session_id
        ]:
            await self._abort(upload_id)

    async def close(self) -> None:
        """Give up every upload."""
        await asyncio.gather(
            *(self._abort(upload_id) for upload_id in list(self._uploads)), return_exceptions=True
        )
        if self._clearing:
            await asyncio.wait(self._clearing, timeout=3.0)

    async def _begin(self, body: bytes) -> dict[str, Any]:
        wish = Wish.parse(body)
        session_id = self._session_of(wish.ticket)
        if session_id is None or not self._is_live(session_id):
            raise UnknownUpload("the page's session is over; load the page again")
        if wish.size > self._largest():
            raise BadUpload(
                f"a file of {wish.size:,} bytes: this app takes at most "
                f"{self._largest():,}, by its setting largest_upload"
            )
        if not self._accepts(session_id, wish):
            if wish.method:
                raise BadUpload(
                    "a body for another session's URL: a page may send to its own session only"
                )
            raise BadUpload(
                f"a file of {wish.size:,} bytes: the app has not agreed to take it; "
                "choose the file again"
            )
        if (
            sum(
                upload.session_id == session_id and upload.state in _BUSY
                for upload in self._uploads.values()
            )
            >= MOST_UPLOADS
        ):
            raise BadUpload(
                f"this page uploads {MOST_UPLOADS} files already; wait until one is done"
            )
        upload_id = secrets.token_urlsafe(24)
        upload = _Upload(session_id, wish, keys.upload_key(self._ref, session_id, upload_id))
        self._uploads[upload_id] = upload
        try:
            upload.s3_id = await self._objects.begin(upload.key)
        except BaseException:
            del self._uploads[upload_id]
            raise
        return {"id": upload_id, "partSize": upload.parts.part, "parts": upload.parts.count}

    async def _links(self, upload: _Upload, body: bytes, host: str) -> dict[str, Any]:
        numbers = upload.parts.wanted(body)
        if upload.state is not UploadState.OPEN:
            raise BadUpload("the file has been sent already; no part of it can be changed")
        signing = await self._objects.signing()
        return {
            "links": {
                number: self._objects.link(
                    signing,
                    "PUT",
                    upload.key,
                    host,
                    PART_LINK_SECONDS,
                    {"partNumber": str(number), "uploadId": upload.s3_id},
                    {"content-length": str(upload.parts.size_of(number))},
                )
                for number in numbers
            }
        }

    async def _complete(self, upload: _Upload, request: web.Request) -> dict[str, Any]:
        if upload.state is UploadState.OPEN and upload.task is None:
            sent = CIMultiDict(request.headers)
            if upload.wish.method:
                sent.popall("Accept", None)
            for name in {name for name, _ in upload.wish.headers}:
                sent.popall(name, None)
            sent.extend(upload.wish.headers)
            visitor = CIMultiDictProxy(sent)
            base = request.headers.get(protocol.BASE, "").rstrip("/")
            upload.task = asyncio.create_task(self._hand_over(upload, visitor, base), name="upload")
        return await self._wait(upload)

    async def _hand_over(self, upload: _Upload, visitor: CIMultiDictProxy[str], base: str) -> None:
        def given(count: int) -> None:
            upload.given = count

        try:
            there = await self._objects.parts(upload.key, upload.s3_id)
            upload.parts.check((part.number, part.size) for part in there)
            await self._objects.complete(upload.key, upload.s3_id, there)
            upload.state = UploadState.HANDING
            upload.reply = await self._handover.give(
                upload.session_id,
                upload.key,
                upload.wish.size,
                upload.wish.target,
                upload.wish.content_type,
                visitor,
                base,
                given,
                upload.wish.method or "POST",
            )
            upload.state = UploadState.DONE
        except (WorkerFailed, BadUpload) as error:
            self._fail(upload, str(error))
        except (aiohttp.ClientError, OSError) as error:
            logger.warning(
                "R did not take a file", extra={"session": upload.session_id, "error": repr(error)}
            )
            self._fail(upload, "the app did not take the file: its connection broke; send it again")
        except (ClientError, BotoCoreError) as error:
            self._fail(upload, f"the file's storage does not work: {error}")
        finally:
            self._clear(upload)
            asyncio.get_running_loop().call_later(REMEMBERED, self._forget, upload)

    def _fail(self, upload: _Upload, message: str) -> None:
        logger.warning("an upload failed", extra={"session": upload.session_id, "error": message})
        upload.message = message
        upload.state = UploadState.FAILED

    async def _wait(self, upload: _Upload) -> dict[str, Any]:
        """Return the upload's state.

        Return at once if it is final or if the browser must act. Otherwise wait until it is final,
        or until patience is over.
        """
        if upload.task is not None and not upload.task.done():
            await asyncio.wait({upload.task}, timeout=self._patience)
        return upload.told()

    async def _abort(self, upload_id: str) -> None:
        upload = self._uploads.pop(upload_id, None)
        if upload is None:
            return
        if upload.task is not None and not upload.task.done():
            upload.task.cancel()
            await asyncio.wait({upload.task})
        elif upload.state is UploadState.OPEN:
            self._clear(upload)
        if upload.state in _BUSY:
            upload.state = UploadState.ABORTED

    def _clear(self, upload: _Upload) -> None:
        """Remove the upload's parts and its object from the bucket."""

        async def clear() -> None:
            for gone in (
                self._objects.abort(upload.key, upload.s3_id),
                self._objects.delete(upload.key),
            ):
                await _quietly(gone)

        task = asyncio.create_task(clear())
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    def _forget(self, upload: _Upload) -> None:
        self._uploads = {
            upload_id: known for upload_id, known in self._uploads.items() if known is not upload
        }

    def _find(self, upload_id: str, ticket: str) -> _Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or self._session_of(ticket) != upload.session_id:
            raise UnknownUpload(
                "there is no such upload: it was given up, or the app was started anew; "
                "upload the file again"
            )
        return upload


async def _quietly(work: Awaitable[None]) -> None:
    try:
        await work
    except ClientError as error:
        # It is an object by now, or it was never more than a wish.
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
            logger.warning("could not clear up in S3", extra={"error": str(error)})
    except Exception as error:  # the bucket's lifecycle rule clears up later
        logger.warning("could not clear up in S3", extra={"error": str(error)})


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_REQUEST:
            break
    return bytes(body)


def _said(status: int, document: dict[str, Any]) -> web.Response:
    return web.json_response(document, status=status, headers=_NO_STORE)
