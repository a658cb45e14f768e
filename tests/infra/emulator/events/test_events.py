"""Events: of S3, of DynamoDB's streams, and of one's own."""

import json
import uuid
from functools import partial
from typing import Any

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until

UPLOADS = "arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-uploads"


def uploads(tiny: TinyStack, key: str) -> list[dict[str, Any]]:
    client = tiny.client("stepfunctions")
    executions = client.list_executions(stateMachineArn=UPLOADS)["executions"]
    inputs = [
        json.loads(client.describe_execution(executionArn=e["executionArn"])["input"])
        for e in executions
    ]
    events = [event for event in inputs if "detail" in event]  # other tests start executions too
    return [event for event in events if event["detail"]["object"]["key"] == key]


def records(tiny: TinyStack, key: str) -> list[dict[str, Any]]:
    return [
        note["record"]
        for note in tiny.notes("record")
        if note["record"]["dynamodb"]["Keys"]["k"]["S"] == key
    ]


def test_an_upload_starts_the_state_machine_of_the_rule_that_it_matches(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    s3.put_object(Bucket="tiny-local", Key="out/side", Body=b"x")
    s3.put_object(Bucket="tiny-local", Key="in/ä b+c.zip", Body=b"hello")
    event = until(lambda: uploads(tiny, "in/ä b+c.zip"), what="the execution")[0]
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["detail"]["bucket"] == {"name": "tiny-local"}
    assert event["detail"]["object"]["size"] == 5
    assert event["detail"]["object"]["etag"] == "5d41402abc4b2a76b9719d911017c592"
    assert event["detail"]["reason"] == "PutObject"
    assert not uploads(tiny, "out/side")


def _has(tiny: TinyStack, key: str, count: int) -> bool:
    return len(uploads(tiny, key)) == count


def test_each_write_of_a_key_has_a_later_sequencer(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    for size in (1, 2, 3):
        s3.put_object(Bucket="tiny-local", Key="in/again", Body=b"x" * size)
        until(partial(_has, tiny, "in/again", size), what=f"event {size}")
    events = sorted(
        uploads(tiny, "in/again"), key=lambda event: event["detail"]["object"]["sequencer"]
    )
    assert [event["detail"]["object"]["size"] for event in events] == [1, 2, 3]


def test_copies_and_uploads_in_parts_are_told_too(tiny: TinyStack) -> None:
    s3 = tiny.client("s3")
    upload = s3.create_multipart_upload(Bucket="tiny-local", Key="in/parts")["UploadId"]
    part = s3.upload_part(
        Bucket="tiny-local", Key="in/parts", UploadId=upload, PartNumber=1, Body=b"x" * 100
    )
    assert not uploads(tiny, "in/parts")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(
        Bucket="tiny-local", Key="in/parts", UploadId=upload, MultipartUpload=parts
    )
    s3.copy_object(Bucket="tiny-local", Key="in/copy", CopySource="tiny-local/in/parts")
    for key, reason in (("in/parts", "CompleteMultipartUpload"), ("in/copy", "CopyObject")):
        event = until(partial(uploads, tiny, key), what=key)[0]
        assert (event["detail"]["reason"], event["detail"]["object"]["size"]) == (reason, 100)


def test_a_functions_pattern_picks_the_events_put(tiny: TinyStack) -> None:
    events = tiny.client("events")
    mark = uuid.uuid4().hex
    entries = [
        {"Source": "tiny.other", "DetailType": "t", "Detail": json.dumps({"mark": mark, "n": 1})},
        {"Source": "tiny.test", "DetailType": "t", "Detail": json.dumps({"mark": mark, "n": 2})},
        {"Source": "tiny.test", "DetailType": "t", "Detail": "{"},
    ]
    result = events.put_events(Entries=entries)
    assert result["FailedEntryCount"] == 1
    assert result["Entries"][2]["ErrorCode"] == "MalformedDetail"
    found = until(
        lambda: [n for n in tiny.notes("event") if n["detail"]["mark"] == mark], what="the event"
    )
    assert [note["detail"]["n"] for note in found] == [2]


def test_writes_reach_the_streams_function_once_each_and_in_order(tiny: TinyStack) -> None:
    table = tiny.client("dynamodb")
    key = uuid.uuid4().hex
    for n in range(40):
        table.put_item(TableName="tiny-local-things", Item={"k": {"S": key}, "n": {"N": str(n)}})
    table.delete_item(TableName="tiny-local-things", Key={"k": {"S": key}})
    until(lambda: len(records(tiny, key)) >= 41, what="41 records")
    found = records(tiny, key)
    assert [record["eventName"] for record in found] == ["INSERT", *["MODIFY"] * 39, "REMOVE"]
    assert [record["dynamodb"]["NewImage"]["n"]["N"] for record in found[:-1]] == [
        str(n) for n in range(40)
    ]
    assert found[1]["dynamodb"]["OldImage"]["n"] == {"N": "0"}
    assert found[0]["eventSource"] == "aws:dynamodb"
    assert ":table/tiny-local-things/stream/" in found[0]["eventSourceARN"]


def test_a_transaction_reaches_the_stream(tiny: TinyStack) -> None:
    key = uuid.uuid4().hex
    put = {"Put": {"TableName": "tiny-local-things", "Item": {"k": {"S": key}}}}
    tiny.client("dynamodb").transact_write_items(TransactItems=[put])
    until(lambda: records(tiny, key), what="the record")


def test_a_stream_waits_for_a_function_that_fails(tiny: TinyStack) -> None:
    table = tiny.client("dynamodb")
    key = uuid.uuid4().hex
    table.put_item(
        TableName="tiny-local-things", Item={"k": {"S": key}, "fail_once": {"BOOL": True}}
    )
    table.put_item(TableName="tiny-local-things", Item={"k": {"S": key}, "n": {"N": "2"}})
    until(lambda: len(records(tiny, key)) >= 2, what="both records")
    assert "stream of tiny-local-things waits: tiny-local-on_things failed" in tiny.said()
    assert records(tiny, key)[0]["dynamodb"]["NewImage"].get("fail_once")


def test_records_that_a_function_does_not_accept_come_again_with_those_after_them(
    tiny: TinyStack,
) -> None:
    key, table = uuid.uuid4().hex, tiny.client("dynamodb")
    puts = [
        {"Put": {"TableName": "tiny-local-things", "Item": {"k": {"S": f"{key}{n}"}, **more}}}
        for n, more in enumerate([{}, {"later": {"BOOL": True}}, {}])
    ]
    table.transact_write_items(TransactItems=puts)  # in one batch
    until(lambda: records(tiny, f"{key}1"), what="the second attempt")
    until(lambda: len(records(tiny, f"{key}2")) == 2, what="what came after it, once more")
    assert len(records(tiny, f"{key}0")) == 1


def test_a_record_that_is_never_accepted_is_given_up_after_the_declared_retries(
    tiny: TinyStack,
) -> None:
    key, table = uuid.uuid4().hex, tiny.client("dynamodb")
    item = {"k": {"S": key}, "never": {"BOOL": True}}
    table.put_item(TableName="tiny-local-things", Item=item)
    until(lambda: "stream of tiny-local-things gives up 1 records" in tiny.said(), what="the end")
    refused = [n for n in tiny.notes("refused") if n["record"]["dynamodb"]["Keys"]["k"]["S"] == key]
    assert len(refused) == 4, "at first, and three retries"
    table.put_item(TableName="tiny-local-things", Item={"k": {"S": f"{key}-next"}})
    until(lambda: records(tiny, f"{key}-next"), what="the records behind it")


def test_conditional_writes_of_many_have_one_winner(tiny: TinyStack) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from botocore.exceptions import ClientError

    table = tiny.client("dynamodb")

    def claim(attempt: tuple[int, int]) -> bool:
        row, claimant = attempt
        try:
            table.put_item(
                TableName="tiny-local-kept",
                Item={"k": {"S": f"claim-{row}"}, "by": {"N": str(claimant)}},
                ConditionExpression="attribute_not_exists(k)",
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        won = list(
            threads.map(claim, [(row, claimant) for row in range(20) for claimant in range(16)])
        )
    assert sum(won) == 20


def test_a_record_that_the_mapping_missed_never_comes(tiny: TinyStack) -> None:
    key, table = uuid.uuid4().hex, tiny.client("dynamodb")
    before = tiny.counters()["records_lost"]
    tiny.control("/faults", {"stream_lose": 1.0})
    table.put_item(TableName="tiny-local-things", Item={"k": {"S": key}, "n": {"N": "1"}})
    until(lambda: tiny.counters()["records_lost"] == before + 1, what="the record to be missed")
    tiny.control("/faults", {})
    table.put_item(TableName="tiny-local-things", Item={"k": {"S": key}, "n": {"N": "2"}})
    until(lambda: records(tiny, key), what="the second record")
    assert [record["dynamodb"]["NewImage"]["n"]["N"] for record in records(tiny, key)] == ["2"]
