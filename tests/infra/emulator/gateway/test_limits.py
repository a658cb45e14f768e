from __future__ import annotations

from infra.emulator.gateway import AWS, TokenBucket


def test_the_numbers_are_awss() -> None:
    assert (AWS.frame, AWS.message, AWS.post) == (32_768, 131_072, 131_072)
    assert (AWS.idle, AWS.age) == (600, 7200)
    assert AWS.integration_timeout == 29
    assert (AWS.new_connections, AWS.requests) == (500, 10_000)
    assert (AWS.url, AWS.head) == (10_240, 10_240)
    assert (AWS.body, AWS.lambda_payload) == (10_485_760, 6_291_456)


def test_no_more_than_the_rate_passes_in_any_second() -> None:
    bucket = TokenBucket(AWS.new_connections, AWS.new_connections)
    assert sum(bucket.take(0.0) for _ in range(1000)) == 500
    assert not bucket.take(0.001)
    assert sum(bucket.take(1.0 + step / 1000) for step in range(1000)) in range(990, 1001)


def test_an_idle_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(AWS.requests, AWS.request_burst)
    assert bucket.take(0.0)
    assert sum(bucket.take(3600.0) for _ in range(20_000)) == 5000


def test_time_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, 1)
    assert bucket.take(10.0)
    assert not bucket.take(10.0)
    assert not bucket.take(9.0)
