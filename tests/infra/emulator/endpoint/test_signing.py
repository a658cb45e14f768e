# ruff: noqa: S310  (our own server)
"""Only who holds a key is heard, through boto3, awscli and presigned URLs."""

import datetime
import hashlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack

BUCKET = "tiny-local"


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_wrong_secret_is_refused(tiny: TinyStack) -> None:
    with pytest.raises(ClientError) as error:
        tiny.client("dynamodb", aws_secret_access_key="wrong").list_tables()
    assert code_of(error) == "InvalidSignatureException"
    with pytest.raises(ClientError) as error:
        tiny.client("s3", aws_secret_access_key="wrong").list_objects_v2(Bucket=BUCKET)
    assert code_of(error) == "SignatureDoesNotMatch"


def test_an_unknown_key_is_refused(tiny: TinyStack) -> None:
    with pytest.raises(ClientError) as error:
        tiny.client("s3", aws_access_key_id="AKIAAAAAAAAAAAAAAAAA").list_objects_v2(Bucket=BUCKET)
    assert code_of(error) == "InvalidAccessKeyId"
    with pytest.raises(ClientError) as error:
        tiny.client("sts", aws_access_key_id="AKIAAAAAAAAAAAAAAAAA").get_caller_identity()
    assert code_of(error) == "InvalidClientTokenId"


def test_keys_are_readable_by_their_owner_only(tiny: TinyStack) -> None:
    assert (tiny.data / "keys.json").stat().st_mode & 0o777 == 0o600
    assert (tiny.data / "environment.json").stat().st_mode & 0o777 == 0o600
    assert (tiny.data / "run").stat().st_mode & 0o777 == 0o700


def test_a_signature_of_an_hour_ago_is_refused(
    tiny: TinyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.auth

    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda **_: late.replace(tzinfo=None)
    )
    with pytest.raises(ClientError) as error:
        tiny.client("s3").list_objects_v2(Bucket=BUCKET)
    assert code_of(error) == "RequestTimeTooSkewed"


@pytest.mark.parametrize("key", ["plain", "with space+plus", "ä/ö:=&%41", "a//b/../c"])
def test_any_key_is_signed_and_stored_as_it_is(tiny: TinyStack, key: str) -> None:
    s3 = tiny.client("s3")
    s3.put_object(
        Bucket=BUCKET, Key=f"keys/{key}", Body=b"content", Metadata={"a": "b"}, ContentType="text/x"
    )
    found = s3.get_object(Bucket=BUCKET, Key=f"keys/{key}")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (
        b"content",
        {"a": "b"},
        "text/x",
    )
    assert s3.head_object(Bucket=BUCKET, Key=f"keys/{key}")["ContentLength"] == 7
    assert f"keys/{key}" in [
        entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="keys/")["Contents"]
    ]


def test_a_presigned_url_works_once_it_is_not_changed(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    s3.put_object(Bucket=BUCKET, Key="presigned a", Body=b"content")
    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "presigned a"}, 60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.replace("presigned", "private"))
    assert refused.value.code == 403 and b"SignatureDoesNotMatch" in refused.value.read()


def test_a_presigned_url_expires(tiny: TinyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=61)
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda **_: late.replace(tzinfo=None)
    )
    url = tiny.client("s3").generate_presigned_url(
        "get_object", {"Bucket": BUCKET, "Key": "presigned a"}, 60
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url)
    assert refused.value.code == 403 and b"Request has expired" in refused.value.read()


def test_a_presigned_upload_stores(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    url = s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "uploaded"}, 60)
    request = urllib.request.Request(url, b"x" * 3_000_000, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    assert s3.head_object(Bucket=BUCKET, Key="uploaded")["ContentLength"] == 3_000_000


def test_a_body_other_than_was_signed_is_refused(tiny: TinyStack) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    variables = tiny.environment()
    request = AWSRequest("PUT", f"{tiny.url}/{BUCKET}/forged", data=b"signed")
    credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    forged = urllib.request.Request(request.url, b"forged", dict(request.headers), method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(forged)
    assert b"XAmzContentSHA256Mismatch" in refused.value.read()


def test_awscli_copies_a_file_in_parts_and_back(tiny: TinyStack, tmp_path: Path) -> None:
    content = os.urandom(20_000_000)
    (tmp_path / "in").write_bytes(content)
    aws = str(Path(sys.executable).with_name("aws"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **tiny.environment()}
    for source, target in (
        (str(tmp_path / "in"), f"s3://{BUCKET}/big"),
        (f"s3://{BUCKET}/big", str(tmp_path / "out")),
    ):
        subprocess.run(
            [aws, "s3", "cp", source, target], env=environment, check=True, capture_output=True
        )
    assert (
        hashlib.sha256((tmp_path / "out").read_bytes()).digest() == hashlib.sha256(content).digest()
    )
    assert tiny.counters()["calls"]["s3.UploadPart"] >= 2


def test_a_large_upload_does_not_stay_in_the_fronts_memory(tiny: TinyStack) -> None:
    assert tiny.process is not None

    def peak_megabytes() -> int:
        status = Path(f"/proc/{tiny.process.pid}/status").read_text()  # type: ignore[union-attr]
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    before = peak_megabytes()
    tiny.client("s3").put_object(Bucket=BUCKET, Key="large", Body=b"x" * 100_000_000)
    assert peak_megabytes() - before < 20
    tiny.client("s3").delete_object(Bucket=BUCKET, Key="large")
