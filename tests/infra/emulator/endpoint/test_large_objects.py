"""Large objects: in parts, in ranges, and for pages of other origins."""

import http.client
import os
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack
from tests.support.memory import Growth, descendants, named

MB = 1 << 20
AT = {"Bucket": "tiny-local", "Key": "passing/object"}


def put_in_parts(tiny: TinyStack, *parts: bytes) -> None:
    s3 = tiny.client("s3")
    upload = s3.create_multipart_upload(
        **AT, ContentType="text/csv", ContentDisposition="attachment"
    )["UploadId"]
    sent = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**AT, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(**AT, UploadId=upload, MultipartUpload={"Parts": sent})


def test_an_object_of_parts_is_given_whole_and_in_ranges(tiny: TinyStack) -> None:
    first, last = os.urandom(5 * MB), os.urandom(3 * MB + 7)
    put_in_parts(tiny, first, last)
    s3 = tiny.client("s3")
    whole = s3.get_object(**AT)
    assert whole["Body"].read() == first + last
    assert (whole["ContentType"], whole["ContentDisposition"], whole["ContentLength"]) == (
        "text/csv",
        "attachment",
        8 * MB + 7,
    )
    assert whole["ETag"].endswith('-2"')
    part = s3.get_object(**AT, Range=f"bytes={5 * MB - 3}-{5 * MB + 1}")
    assert part["Body"].read() == first[-3:] + last[:2]
    assert part["ContentRange"] == f"bytes {5 * MB - 3}-{5 * MB + 1}/{8 * MB + 7}"
    assert s3.get_object(**AT, Range="bytes=-5")["Body"].read() == last[-5:]
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**AT, Range=f"bytes={9 * MB}-")


def test_a_copy_is_what_was_copied_and_takes_no_memory(tiny: TinyStack) -> None:
    content = os.urandom(100 * MB)
    s3 = tiny.client("s3")
    s3.put_object(**AT, Body=content, ContentType="text/csv", Metadata={"who": "me"})
    copied = {"Bucket": "tiny-local", "Key": "passing/copy"}
    s3.copy_object(**copied, CopySource=AT)  # the first time moto gets its code together
    assert tiny.process is not None
    growth = Growth(
        named(
            descendants(tiny.process.pid),
            lambda command: "moto" if "moto.process" in command else None,
        )
    )
    s3.copy_object(**copied, CopySource=AT)
    assert growth.most()["moto"] < 40  # it reads 16 MB at a time to know the etag
    found = s3.get_object(**copied)
    assert found["Body"].read() == content
    assert (found["ContentType"], found["Metadata"]) == ("text/csv", {"who": "me"})


def test_s3s_rules_for_parts_hold(tiny: TinyStack) -> None:
    with pytest.raises(ClientError, match="EntityTooSmall"):
        put_in_parts(tiny, b"small", b"x")
    s3 = tiny.client("s3")
    upload = s3.create_multipart_upload(**AT)["UploadId"]
    with pytest.raises(ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(
            **AT, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "0" * 32}]}
        )
    s3.abort_multipart_upload(**AT, UploadId=upload)


def test_who_reads_a_large_object_has_it_to_the_end_though_it_is_deleted(tiny: TinyStack) -> None:
    content = os.urandom(20 * MB)
    tiny.client("s3").put_object(**AT, Body=content)
    reading = tiny.client("s3").get_object(**AT)["Body"]
    start = reading.read(10)
    tiny.client("s3").delete_object(**AT)
    assert start + reading.read() == content


def test_the_buckets_rules_are_set_and_pages_of_other_origins_let_in(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    assert s3.get_bucket_lifecycle_configuration(Bucket="tiny-local")["Rules"][0]["Filter"] == {
        "Prefix": "passing/"
    }
    url = s3.generate_presigned_url("put_object", AT, 60)
    at = urlsplit(url)
    for method, more in [("OPTIONS", {"Access-Control-Request-Method": "PUT"}), ("PUT", {})]:
        connection = http.client.HTTPConnection(at.netloc)
        connection.request(
            method,
            f"{at.path}?{at.query}",
            b"x" if method == "PUT" else None,
            {"Origin": "https://apps.example.com", **more},
        )
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://apps.example.com"
        assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
        connection.close()
