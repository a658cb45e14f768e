"""What a stage costs."""

import tomllib
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.aws import costs
from infra.aws.cloudformation import REPLACING, ResourceChange, compare
from infra.aws.plan import cost_lines, plan_lines
from infra.aws.settings import Stage, load
from infra.declared import DECLARED, MACHINES, TREE
from tests.infra.aws.templates import Templates

APP = (TREE / "chalice_app" / "app.py").read_text()


def test_a_small_deployment_costs_about_three_dollars_while_nobody_comes(
    templates: Templates,
) -> None:
    stage = load("prod")
    items = costs.idle(
        stage, templates["prod"], costs.prices(stage.region), costs.schedules_of(APP)
    )
    assert 2.5 < sum(item.usd for item in items) < 3.3, items
    assert {item.what.split(" ", 1)[1] for item in items if item.what[0].isdigit()} >= {
        "alarms",
        "GB of backups",
    }


def test_what_is_waiting_is_on_the_bill(templates: Templates) -> None:
    stage = load("full")
    items = costs.idle(stage, templates["full"], costs.prices(stage.region), [])
    lines = {item.what: item.usd for item in items}
    assert lines["1 spare large, running all the time"] == pytest.approx(
        730 * costs.machine_hour(stage, costs.prices(stage.region), "large")
    )
    assert lines["1 KMS key"] == 1 and lines["1 hosted zone"] == 0.5
    assert lines["2 firewalls of 4 rules"] == 14
    assert not any("backups" in what for what in lines)


def test_what_runs_by_itself_is_traced_and_counted_at_a_price() -> None:
    items = costs.idle(
        load("prod"), [], costs.prices("us-east-1"), ["rate(5 minutes)", "rate(6 hours)"]
    )
    lines = {item.what: item.usd for item in items}
    assert lines["traces of these runs"] == pytest.approx((730 * 12 + 730 / 6) * 5e-6)
    assert lines["counts of their cold starts"] == pytest.approx(0.30 * (12 + 4) / 24)


def test_an_hour_of_an_instance_is_what_fargate_asks_for_its_size() -> None:
    stage, price = load("prod"), costs.prices("us-east-1")
    assert costs.machine_hour(stage, price, "large") == pytest.approx(
        0.5 * 0.04048 + 1 * 0.004445 + 0.005
    )
    hours = [costs.machine_hour(stage, price, size) for size in MACHINES]
    assert hours == sorted(hours)
    assert costs.machine_hour(load("full"), price, "xlarge") < costs.machine_hour(
        stage, price, "xlarge"
    ), "on Spot"
    assert 0.001 < sum(item.usd for item in costs.visitor_hour(price)) < 0.05


def test_a_visitors_hour_has_traces_logs_and_traffic_and_no_trace_of_a_frame() -> None:
    lines = {item.what: item.usd for item in costs.visitor_hour(costs.prices("us-east-1"))}
    assert lines["traces of pages and files; frames have none"] == pytest.approx(
        costs.REQUESTS_AN_HOUR * 5e-6
    )
    untraced = {function.name for function in DECLARED.functions if not function.traced}
    assert untraced == {"websocket_message"}, "a trace of each frame would be the largest item"
    assert (
        lines["what functions log"] > 0
        and lines["traffic between functions and tasks in two zones"] > 0
    )


def test_a_start_reads_the_apps_packages_from_efs_at_a_price() -> None:
    first, *_ = costs.start(costs.prices("eu-central-1"))
    assert first.usd == pytest.approx(0.3 * 0.036)


def test_each_gigabyte_has_its_price_by_where_it_goes() -> None:
    def of(stage: str) -> dict[str, float]:
        return {
            item.what: item.usd for item in costs.gigabytes(load(stage), costs.prices("us-east-1"))
        }

    basic, enhanced = of("prod"), of("full")
    assert basic["copied by a sync, with its write to EFS"] == pytest.approx(0.0125 + 0.06)
    assert enhanced["each run of a sync in Enhanced mode, of any size"] == 0.55
    assert "each run of a sync in Enhanced mode, of any size" not in basic
    assert {
        "read from EFS",
        "written to EFS",
        "logged by apps",
        "between tasks and functions in two zones",
    } < basic.keys()


def test_the_plan_says_whose_prices_it_has() -> None:
    lines = list(cost_lines(Stage("x", "eu-west-3"), [], APP))
    assert any(
        "for eu-west-3 (infra/aws/prices.toml, which has us-east-1's for it" in line
        for line in lines
    )
    assert any(
        "for eu-central-1 (infra/aws/prices.toml), without" in line
        for line in cost_lines(load("prod"), [], APP)
    )


def test_every_price_is_dated_and_has_a_source() -> None:
    table = tomllib.loads(costs.PRICES.read_text())
    assert str(table["date"]) >= "2026"
    assert all(url.startswith("https://aws.amazon.com/") for url in table["sources"].values())
    for name, region in table.items():
        if isinstance(region, dict) and name not in ("default", "sources"):
            assert region.keys() <= table["default"].keys(), name


def test_schedules_are_read_from_the_functions() -> None:
    assert costs.schedules_of(
        '@app.schedule("rate(2 hours)")\ndef f(event): pass\n@app.route("/")\ndef g(): pass'
    ) == ["rate(2 hours)"]
    assert costs.schedules_of(APP)


def test_the_plan_says_what_changes_and_warns_of_what_holds_data() -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "a"}}
    group, wider = (
        {"Type": "AWS::Logs::LogGroup"},
        {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
    )
    changes = compare({"Bundles": bucket, "Log": group}, {"Log": wider, "More": group})
    assert [(change.action, change.resource) for change in changes] == [
        ("Remove", "Bundles"),
        ("Modify", "Log"),
        ("Add", "More"),
    ]
    lines = list(
        plan_lines(
            {"a": [], "b": changes, "c": [ResourceChange("Add", "X", "AWS::SQS::Queue")] * 2}
        )
    )
    assert lines[:-2] == [
        "a: no change",
        "b:",
        "  - Bundles (AWS::S3::Bucket)  (holds data!)",
        "  ~ Log (AWS::Logs::LogGroup)",
        "  + More (AWS::Logs::LogGroup)",
        "c: new: 2 SQS::Queue",
    ]


@pytest.mark.parametrize(
    ("kind", "changed", "action"),
    [
        ("AWS::S3::Bucket", {"BucketName": "b"}, "Replace"),
        ("AWS::S3::Bucket", {"VersioningConfiguration": {"Status": "Suspended"}}, "Modify"),
        ("AWS::DynamoDB::Table", {"KeySchema": []}, "Replace"),
        ("AWS::EFS::FileSystem", {"KmsKeyId": "of its own"}, "Replace"),
        ("AWS::KMS::Key", {"EnableKeyRotation": False}, "Modify"),
    ],
)
def test_what_a_change_replaces_by_something_empty_is_marked(
    kind: str, changed: dict[str, Any], action: str
) -> None:
    [change] = compare(
        {"X": {"Type": kind, "Properties": {"BucketName": "a"}}},
        {"X": {"Type": kind, "Properties": {"BucketName": "a", **changed}}},
    )
    assert change.action == action
    [_, line, *_] = plan_lines({"data": [change]})
    assert line.endswith("(holds data!)") is (action == "Replace")


def test_what_replaces_is_as_cloudformations_own_schemas_say() -> None:
    for kind, properties in REPLACING.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        named = [
            *schema.get("createOnlyProperties", ()),
            *schema.get("conditionalCreateOnlyProperties", ()),
        ]
        assert set(properties) == {one.removeprefix("/properties/") for one in named}, kind


def test_the_bill_adds_up(templates: Templates) -> None:
    lines = list(cost_lines(load("prod"), templates["prod"], APP))
    amounts = [float(line.split()[0]) for line in lines if " $  " in line]
    end = next(index for index, line in enumerate(lines) if line.endswith("in all"))
    count = sum(" $  " in line for line in lines[:end])
    assert amounts[count] == pytest.approx(sum(amounts[:count]), abs=0.06)
