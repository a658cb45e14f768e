"""Calls a JSON service of AWS with nothing but the standard library."""

import datetime
import hashlib
import hmac
import http.client
import json
import os
from urllib.parse import urlsplit


def call(service, target, payload):
    """Return [status, body], or the error of the network as text."""
    host = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    body = json.dumps(payload)
    headers = {"host": host, "x-amz-date": now, "x-amz-target": target}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    scope = f"{now[:8]}/{os.environ['AWS_REGION']}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return [response.status, response.read().decode()]
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
