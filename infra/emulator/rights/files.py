"""Roles that are files: ``<path>/<name>.json`` in a folder, each a policy document.

They are read again at each call. The calls of other roles may assume them.
"""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.errors import EmulatorError
from infra.emulator.keys import AccessKey, Keys
from infra.emulator.rights.call import Call
from infra.emulator.rights.policy import Policy

_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._~-]*/)*[A-Za-z0-9_-]+")
VALID = timedelta(hours=1)
"""Longest validity of a role that was assumed from another role."""


class FileRoles:
    """STS's AssumeRole for these roles only; the credentials' principal is ``role:<name>``."""

    def __init__(self, folder: Path, prefix: str, keys: Keys) -> None:
        """Read the roles in ``folder``; their ARNs begin with ``prefix``."""
        self._folder = folder
        self._prefix = prefix
        self._keys = keys

    def policy(self, name: str) -> Policy | None:
        """Return a role's policy, or None if there is no such role.

        Raise :class:`EmulatorError` for a policy that cannot be read.
        """
        path = self._folder / f"{name}.json"
        if not _NAME.fullmatch(name) or not path.exists():
            return None
        try:
            return Policy(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmulatorError(f"{path} is no policy document: {error}") from error

    async def handle(
        self, _request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer AssumeRole if the caller's own policy allows it; moto answers the rest."""
        form = Call("sts", operation, body=body).form
        if form.get("Action") != "AssumeRole":
            return None
        arn = form.get("RoleArn", "")
        name = arn.removeprefix(self._prefix)
        try:
            there = name != arn and self.policy(name) is not None
        except EmulatorError as error:
            raise AwsError("MalformedPolicyDocument", str(error)) from error
        if not there:
            raise AwsError(
                "AccessDenied",
                f"User is not authorized to perform: sts:AssumeRole on resource: {arn}",
                403,
            )
        key = self._keys.temporary(f"role:{name}")
        asyncio.get_running_loop().call_later(VALID.total_seconds(), self._keys.revoke, key)
        return web.Response(
            text=_document(arn, form.get("RoleSessionName", ""), key), content_type="text/xml"
        )


def _document(arn: str, session: str, key: AccessKey) -> str:
    account, name = arn.split(":")[4], arn.rpartition("/")[2]  # a session's ARN has no path
    assumed = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    values = {"AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    values["Expiration"] = (datetime.now(UTC) + VALID).strftime("%Y-%m-%dT%H:%M:%SZ")
    credentials = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<AssumedRoleUser><AssumedRoleId>{key.key_id}:{escape(session)}</AssumedRoleId><Arn>{escape(assumed)}</Arn></AssumedRoleUser>"
        f"<Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
