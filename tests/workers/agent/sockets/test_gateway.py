from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from chalicelib.aws.signing import Signer
from chalicelib.aws.sigv4 import Credentials


@pytest.mark.parametrize("connection", ["abc123", "AbC%3D", "a-b_c.d~e%2Bf%2F%3D%3D"])
@pytest.mark.parametrize("token", [None, "tok/en=="])
@pytest.mark.parametrize("body", [b"", b"a", 'a["é"]'.encode()])
@pytest.mark.parametrize("when", [1_700_000_000, 1_700_090_000])
def test_the_signature_is_botocores(
    connection: str, token: str | None, body: bytes, when: int
) -> None:
    path = f"/socket/%40connections/{connection}"
    moment = datetime.fromtimestamp(when, UTC)
    request = AWSRequest("POST", "https://api.example.com:8443" + path, data=body)
    with patch.object(botocore.auth, "get_current_datetime", lambda: moment.replace(tzinfo=None)):
        SigV4Auth(
            BotocoreCredentials("AKID", "secret", token), "execute-api", "eu-west-1"
        ).add_auth(request)
    signer = Signer("eu-west-1", "api.example.com:8443")
    signer.headers("POST", path, b"", Credentials("AKID", "other", None), 1_700_000_000)
    headers = signer.headers("POST", path, body, Credentials("AKID", "secret", token), when)
    assert headers["authorization"] == request.headers["Authorization"]
    assert headers["x-amz-date"] == request.headers["X-Amz-Date"]
