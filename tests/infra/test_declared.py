"""What is declared fits the models, the state machines and itself."""

import json
from dataclasses import replace

import pytest

from infra.declared import DECLARED, StateMachine
from infra.declared.place import OtherBucket
from infra.emulator.rights.policy import NeededRight, Policy, PolicyVerdict
from infra.local.declare import substitute
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE = local_place(LocalSettings())
TABLES = {table.name: table for table in DECLARED.tables}


def test_what_was_published_and_configured_is_kept_and_what_runs_is_not() -> None:
    assert {name for name, table in TABLES.items() if table.kept} == {
        "apps",
        "locations",
        "versions",
        "bundles",
        "syncs",
        "sync_runs",
        "unix_ids",
        "unix_users",
        "configurations",
        "users",
        "logins",
    }


def test_tables_have_their_models_keys_and_expiry() -> None:
    definition = TABLES["instances"].definition(PLACE)
    assert definition["TableName"] == "sheen-local-instances"
    assert definition["KeySchema"] == [
        {"AttributeName": "version_id", "KeyType": "HASH"},
        {"AttributeName": "slot", "KeyType": "RANGE"},
    ]
    assert definition["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert TABLES["instances"].ttl_attribute == "expires_at"
    assert TABLES["apps"].ttl_attribute is None


def test_indexes_name_attributes_that_the_table_declares() -> None:
    for table in DECLARED.tables:
        indexed = {key["AttributeName"] for index in table.indexes for key in index["KeySchema"]}
        assert indexed <= table.attribute_types.keys()


@pytest.mark.parametrize("machine", DECLARED.state_machines, ids=lambda machine: machine.name)
def test_a_state_machine_finds_all_that_it_names_and_uses_each_function(
    machine: StateMachine,
) -> None:
    definition = substitute(machine, DECLARED.substitutions(PLACE, machine))
    json.loads(definition)
    for function in machine.functions:
        assert PLACE.function_arn(function) in definition


def test_large_bodies_do_not_stay_and_only_the_agent_may_touch_them() -> None:
    (bodies,) = [rule for rule in DECLARED.bucket.lifecycle() if rule["ID"] == "bodies"]
    assert bodies == {
        "ID": "bodies",
        "Status": "Enabled",
        "Filter": {"Prefix": "bodies/"},
        "Expiration": {"Days": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    touching = {
        name: [
            resource
            for statement in role.statements
            for resource in statement.resources
            if "bodies" in resource
        ]
        for name, role in DECLARED.roles(PLACE).items()
    }
    # The agent signs the URLs; a visitor's Lambda needs no right on the bucket.
    assert {name: found for name, found in touching.items() if found} == {
        "task-agent": ["arn:aws:s3:::sheen-local/bodies/*"]
    }


def test_functions_inside_the_vpc_are_not_told_of_what_they_cannot_reach() -> None:
    inside, outside = (
        DECLARED.function_environment(PLACE, True),
        DECLARED.function_environment(PLACE, False),
    )
    assert outside.keys() - inside.keys() == {
        "SHEEN_CONNECTIONS_URL",
        "SHEEN_CLUSTER",
        "SHEEN_SUBNETS",
        "SHEEN_TASK_SECURITY_GROUP",
        "SHEEN_EXECUTE_COMMAND",
        "SHEEN_INSTANCE_STATE_MACHINE",
        "SHEEN_BUNDLE_GB",
    }


def test_datasync_is_given_a_log_group_that_it_may_write_to() -> None:
    [step] = [function for function in DECLARED.functions if function.name == "sync_step"]
    [group] = [group for group in DECLARED.log_groups if group.service == "datasync.amazonaws.com"]
    assert DECLARED.environment_of(PLACE, step)["SHEEN_SYNC_LOG"] == PLACE.arn(
        "logs", f"log-group:{PLACE.log_group(group.name)}"
    )


def test_of_other_buckets_only_what_is_below_the_prefix_may_be_read() -> None:
    roles = DECLARED.roles(
        replace(
            PLACE, other_buckets=(OtherBucket("observations", "stations/"), OtherBucket("open"))
        )
    )
    other = "arn:aws:s3:::observations"

    def may(role: str, action: str, resource: str, **context: str) -> bool:
        need = NeededRight(
            f"s3:{action}", resource, {f"s3:{key}": value for key, value in context.items()}
        )
        return Policy(roles[role].policy()).decide(need).verdict is PolicyVerdict.ALLOWED

    for role in ("task-copy", "datasync"):
        assert may(role, "GetObject", f"{other}/stations/a.csv") and not may(
            role, "GetObject", f"{other}/secret.csv"
        )
        assert may(role, "GetObject", "arn:aws:s3:::open/a.csv")
    assert may("datasync", "GetObjectTagging", f"{other}/stations/a.csv") and not may(
        "datasync", "GetObjectTagging", f"{other}/a.csv"
    )
    assert may("task-copy", "ListBucket", other, prefix="stations/2026/") and may(
        "task-copy", "ListBucket", "arn:aws:s3:::open"
    )
    assert not may("task-copy", "ListBucket", other, prefix="sta") and not may(
        "task-copy", "ListBucket", other
    )
    for bucket in (other, "arn:aws:s3:::open", PLACE.bucket_arn()):
        assert may("datasync", "ListBucket", bucket), (
            "HeadBucket, by which DataSync tries a bucket, has no prefix"
        )
    for bucket in (other, "arn:aws:s3:::open"):
        assert may("function-sync_step", "ListBucket", bucket)


def test_passwords_are_written_and_removed_but_read_by_nobody_yet() -> None:
    def reading(prefix: str) -> set[str]:
        key = f"{PLACE.bucket_arn()}/config/{prefix}/x"
        return {
            name
            for name, role in DECLARED.roles(PLACE).items()
            if Policy(role.policy()).decide(NeededRight("s3:GetObject", key, {})).verdict
            is PolicyVerdict.ALLOWED
        }

    assert reading("passwords") == set()
    assert reading("files") == {"function-on_configuration_written"}
    assert "function-api_handler" in reading("applied")
