"""A deployment's settings, as its parts read them from the environment."""

from dataclasses import fields

import pytest

from chalicelib.configuration.arn import Arn
from chalicelib.configuration.declaring import declared
from chalicelib.configuration.deployment import GIGABYTE, Settings
from chalicelib.errors import SettingMissing
from infra.declared import DECLARED, environments
from infra.emulator.errors import CannotStart
from infra.local.place import local_place
from infra.local.settings import LocalSettings

NEEDED = {"SHEEN_BUCKET": "bucket", "SHEEN_TABLE_PREFIX": "sheen-x-"}
STATES = "arn:aws:states:eu-central-1:123456789012:stateMachine:sheen-x-instance"


def test_every_field_is_read_from_the_variable_of_its_name() -> None:
    assert declared(Settings).keys() == {one.name for one in fields(Settings)}
    settings = Settings.from_environment(
        {
            **NEEDED,
            "SHEEN_INSTANCE_STATE_MACHINE": STATES,
            "SHEEN_SUBNETS": "subnet-1 subnet-2",
            "SHEEN_EXECUTE_COMMAND": "true",
            "SHEEN_MOST_INSTANCES": "7",
            "SHEEN_LONGEST_IDLE": "1.5",
            "SHEEN_TAGS": "application=sheen&cost+centre=4711",
            "SHEEN_BUNDLE_GB": "0.5",
            "SHEEN_APP_DEFAULTS": "size=small 'title=A b'",
            "SHEEN_TOPIC": "",
        }
    )
    assert settings == Settings(
        "bucket",
        "sheen-x-",
        instance_state_machine=Arn(STATES),
        subnets=("subnet-1", "subnet-2"),
        execute_command=True,
        most_instances=7,
        longest_idle=1.5,
        tags=(("application", "sheen"), ("cost centre", "4711")),
        bundle_gb=0.5,
        app_defaults={"size": "small", "title": "A b"},
    )
    assert settings.largest_bundle == GIGABYTE // 2
    assert settings.state_machine("sync") == STATES.replace("-instance", "-sync")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("SHEEN_MOST_INSTANCES", "many", "it must be a whole number"),
        ("SHEEN_LONGEST_IDLE", "long", "it must be a number"),
        ("SHEEN_EXECUTE_COMMAND", "yes", "it must be true or false"),
        ("SHEEN_SYNC_ROLE", "datasync", "it must be an ARN"),
        ("SHEEN_BUNDLE_GB", "6", "it must be a number of gigabytes, at most 5"),
        ("SHEEN_APP_DEFAULTS", "size", "it must be NAME=VALUE words"),
    ],
)
def test_a_bad_variable_is_told_its_rule(variable: str, text: str, words: str) -> None:
    with pytest.raises(SettingMissing, match=f"{variable} is '{text}'; {words}"):
        Settings.from_environment({**NEEDED, variable: text})


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingMissing, match="SHEEN_TABLE_PREFIX is not set"):
        Settings.from_environment({"SHEEN_BUCKET": "bucket"})


def test_what_the_local_stack_sets_for_all_apps_reaches_every_part_that_reads_their_settings() -> (
    None
):
    words = "size=small 'environment=TZ=UTC LEVEL=2'"
    place = local_place(LocalSettings.from_environment({"SHEEN_APP_DEFAULTS": words}))
    parts = [DECLARED.environment_of(place, function) for function in DECLARED.functions]
    parts += [environments.agent(place), environments.build(place), environments.admin(place)]
    for part in parts:
        held = Settings.from_environment({**NEEDED, **part}).app_defaults
        assert held == {"size": "small", "environment": "TZ=UTC LEVEL=2"}


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("SHEEN_PORT", "0", "a port number, 1 to 65535"),
        ("SHEEN_CONCURRENCY", "10001", "a number of invocations, 1 to 10000"),
        ("SHEEN_LARGEST_SIZE", "huge", "one of small, medium"),
        ("SHEEN_LONGEST_IDLE", "-1", "a whole number, 0 for no limit"),
        ("SHEEN_BUNDLE_GB", "x", "a number of gigabytes"),
        ("SHEEN_REPOSITORIES", "cran", "cran"),
        ("SHEEN_SPARES", "huge=1", "huge"),
        ("SHEEN_APP_DEFAULTS", "sise=small", "did you mean size"),
    ],
)
def test_what_is_wrong_with_the_local_stacks_settings_is_told(
    variable: str, text: str, words: str
) -> None:
    with pytest.raises(CannotStart, match=words):
        LocalSettings.from_environment({variable: text})
