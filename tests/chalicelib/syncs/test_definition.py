"""Definitions are read strictly, and say what is wrong."""

from typing import Any

import pytest

from chalicelib.syncs.definition import SETTINGS, SyncDefinition
from chalicelib.syncs.errors import BadSync


def parse(name: str = "sales", **values: Any) -> SyncDefinition:
    return SyncDefinition.parse(name, values, "sheen-test")


def test_without_settings_it_is_the_buckets_folder_of_its_name_hourly() -> None:
    found = parse()
    assert (found.bucket, found.prefix, found.schedule) == (
        "sheen-test",
        "data/sales/",
        "rate(1 hour)",
    )


def test_what_is_stored_reads_back_the_same() -> None:
    found = parse(
        include="/a/* '/b c'",
        exclude="*.tmp",
        delete="yes",
        verify="all",
        urgent="now/",
        urgent_limit="2MB",
        retries="0",
        publish="/t",
    )
    assert parse(**found.settings()) == found
    assert found.include == ("/a/*", "/b c")
    assert (found.delete, found.urgent_limit, found.retries) == (True, 2 << 20, 0)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"no_such": "1"}, f'no setting "no_such"; the settings are {", ".join(SETTINGS)}'),
        (
            {"bucket": "A_B"},
            "bucket is 'A_B'; it is the name of an S3 bucket, as in bucket=our-data",
        ),
        ({"prefix": "/x"}, "prefix is '/x'"),
        ({"prefix": "data/year=2026/"}, "include='/year=2026/*'"),
        ({"prefix": "data/ä/"}, "prefix is 'data/ä/'"),
        ({"prefix": "data/../x/"}, "prefix is 'data/../x/'"),
        ({"prefix": "data//x/"}, "prefix is 'data//x/'"),
        ({"prefix": ""}, "data is below data/"),
        ({"prefix": "bundles/x/"}, "data is below data/"),
        ({"bucket": "other", "prefix": "bodies/x"}, "not below bodies/"),
        ({"schedule": "cron(61 * * * ? *)"}, "schedule:"),
        ({"include": "/a*b"}, "include is '/a*b'"),
        ({"include": "*.csv"}, "begin with a slash"),
        ({"exclude": "a|b"}, "exclude is 'a|b'"),
        ({"delete": "perhaps"}, "delete is 'perhaps'; it is true or false"),
        ({"verify": "some"}, "one of none, transferred, all"),
        ({"urgent": "/x"}, "urgent is '/x'"),
        ({"urgent_limit": "11GB"}, "urgent_limit is '11GB'"),
        ({"stall_timeout": "0"}, "stall_timeout is '0'"),
        ({"retries": True}, "retries is True"),
        ({"apps": "sales"}, "apps is 'sales'; it is locations of apps"),
        ({"publish": "a//b"}, "publish is 'a//b'"),
    ],
)
def test_errors_name_the_key_its_value_and_the_rule(values: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSync) as caught:
        parse(**values)
    assert str(caught.value).startswith("sync sales: ")
    assert told in str(caught.value)


def test_what_the_deployment_may_not_read_is_refused_with_what_it_may() -> None:
    others = ("observations/stations/", "open/")
    for bucket, prefix in (
        ("sheen-test", "data/x"),
        ("observations", "stations/2026"),
        ("observations", "stations"),
        ("open", ""),
    ):
        parse(bucket=bucket, prefix=prefix).check_readable("sheen-test", others)
    for bucket, prefix in (
        ("observations", "stations-old"),
        ("observations", ""),
        ("open-too", ""),
    ):
        with pytest.raises(
            BadSync,
            match=r"may not read s3://.* it may read s3://observations/stations/, s3://open/, "
            r"which its operator",
        ):
            parse(bucket=bucket, prefix=prefix).check_readable("sheen-test", others)
    with pytest.raises(BadSync, match="may read none"):
        parse(bucket="open", prefix="").check_readable("sheen-test", ())


@pytest.mark.parametrize("name", ["", "A", "-a", "a_b", "a" * 64, "a/b", ".."])
def test_a_name_is_a_folders_and_a_variables_name(name: str) -> None:
    with pytest.raises(BadSync, match="name"):
        parse(name)


def test_apps_are_let_in_by_their_locations() -> None:
    assert not parse().lets_in("/anything"), "an operator says which apps may have a sync"
    assert parse(apps="*").lets_in("/anything")
    found = parse(apps="/sales /team/*")
    assert [found.lets_in(at) for at in ("/sales", "/team/a/b", "/sales/x", "/", "/teams")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not parse(apps="").lets_in("/sales")


def test_keys_outside_are_not_its_own_and_urgent_is_a_prefix_below_its_own() -> None:
    found = parse(urgent="now/")
    assert found.relative("sheen-test", "data/sales/now/a") == "now/a"
    assert found.relative("other", "data/sales/now/a") is None
    assert found.relative("sheen-test", "data/sales") is None
    assert found.relative("sheen-test", "data/sales/") is None
    assert (found.is_urgent("now/a"), found.is_urgent("later/a")) == (True, False)
    assert parse(urgent="/").is_urgent("later/a")
    assert not parse().is_urgent("now/a")
