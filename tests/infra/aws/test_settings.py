"""A stage's settings file: what it may say, and what it is told when it says something else."""

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.configuration import layers
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.layers import LONGEST_DEFAULTS, deployment, resolve
from infra.aws.errors import BadStage
from infra.aws.place import aws_place
from infra.aws.settings import STAGES, Stage, load, parse, stages
from infra.declared import DECLARED, environments

REGION = 'region = "eu-central-1"\n'


def test_the_least_settings_are_a_region() -> None:
    stage = load("prod")
    assert stage == Stage("prod", "eu-central-1")
    assert stage.protected and not stage.network.flow_logs and stage.edge is None


def test_the_full_example_and_the_shared_one_together_show_every_setting() -> None:
    def keys(value: object, path: str = "") -> set[str]:
        found = {path} if path else set()
        for name in getattr(value, "__slots__", ()):
            found |= keys(getattr(value, name), f"{path}.{name}" if path else name)
        for one in value if isinstance(value, tuple) else ():
            found |= keys(one, path)
        return found

    shown = {
        name
        for example in ("full", "shared")
        for name in keys(load(example))
        if name.rpartition(".")[2] in (STAGES / f"{example}.toml").read_text()
    }
    assert keys(load("full")) | keys(load("shared")) == shown | {"name"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 's.toml: "region" is missing; it must be a region such as eu-central-1'),
        (
            'region = "Frankfurt"',
            "s.toml: region is 'Frankfurt'; it must be a region such as eu-central-1",
        ),
        (REGION + "network = 3", "s.toml: network is 3; it must be a table, [network]"),
        (REGION + "[network]\nzones = 4", "s.toml: network.zones is 4; it must be 2 to 3"),
        (
            REGION + '[network]\nzones = "2"',
            "s.toml: network.zones is '2'; it must be a whole number",
        ),
        (
            REGION + "[network]\nzones = true",
            "s.toml: network.zones is True; it must be a whole number",
        ),
        (
            REGION + '[network]\ncidr = "10.0.0.1/20"',
            "network.cidr is '10.0.0.1/20'; it must be a block of addresses of /16 to /24",
        ),
        (
            REGION + "[compute.spares]\nhuge = 1",
            "compute.spares is {'huge': 1}; it must be of small, medium",
        ),
        (
            REGION + '[compute]\nspares = { small = "one" }',
            "compute.spares.small is 'one'; it must be a whole number",
        ),
        (
            REGION + "[compute]\nsopt = true",
            (
                's.toml: there is no setting "compute.sopt"; [compute] has bundle_gb, exec, '
                "image_fonts"
            ),
        ),
        (REGION + "[compute]\nimage_font = []", "; did you mean image_fonts?"),
        (
            REGION + '[compute]\nimage_fonts = ["vim"]',
            "compute.image_fonts is ['vim']; it must be each a package of fonts",
        ),
        (
            REGION + '[compute]\nimage_fonts = ["fonts-x; rm"]',
            "it must be each a package of fonts of Debian such as fonts-noto-cjk",
        ),
        (
            REGION + '[compute]\nrepositories = ["cran"]',
            "compute.repositories is ['cran']; it must be a list of URLs",
        ),
        (
            REGION + '[compute]\nimage_compression = "gzip"',
            'there is no setting "compute.image_compression"',
        ),
        (
            REGION + '[network]\nzone_names = ["eu-central-1a", "eu-central-1a"]',
            "zone_names is eu-central-1a, eu-central-1a; it must be 2",
        ),
        (
            REGION + '[network]\nzones = 3\nzone_names = ["eu-central-1a", "eu-central-1b"]',
            "it must be 3 zones (network.zones), each once",
        ),
        (REGION + "log_retention_days = 31", "log_retention_days is 31; it must be one of 1, 3, 5"),
        (
            REGION + '[[data]]\nname = "Upper"',
            "data[0].name is 'Upper'; it must be a bucket's name",
        ),
        (
            REGION + '[[data]]\nname = "abc"\nprefix = "x"',
            "data[0].prefix is 'x'; it must be the beginning of keys that ends with a slash",
        ),
        (
            REGION + '[edge]\ndomain = "a.example.org"\nzone = "example.com"',
            "edge.domain is 'a.example.org'; it must be example.com",
        ),
        (
            REGION + '[edge]\ndomain = "a.example.org"\n[edge.waf]\nallowed_ips = ["all"]',
            "edge.waf.allowed_ips is ['all']; it must be each a block",
        ),
        (
            REGION + '[edge]\ndomain = "a.example.org"\ndomains = ["a.example.org"]',
            "edge.domains repeats a domain; name each once, without edge.domain",
        ),
        (
            REGION
            + '[edge]\ndomain = "a.example.org"\ndomains = ['
            + ", ".join(f'"a{n}.example.org"' for n in range(10))
            + "]",
            "edge.domains has 10 domains; one certificate has at most 9 besides edge.domain",
        ),
        (
            REGION + '[edge]\ndomain = "a.example.org"\ncountries = ["DE"]',
            "edge.countries is set without [edge.waf]",
        ),
        (REGION + "[alarms]\nmonthly_budget_usd = 20", "alarms.mail must say who is told"),
        (
            REGION + 'tags = { stage = "x" }',
            "tags is {'stage': 'x'}; it must be a table without application and stage",
        ),
        (REGION + 'name = "other"', "a stage's name is its file's"),
        (
            REGION + "[app_defaults]\napp_idle_timout = 60",
            's.toml: app_defaults: there is no setting "app_idle_timout"; did you mean '
            "app_idle_timeout?",
        ),
        (
            REGION + "[app_defaults]\nsize = 3",
            "s.toml: app_defaults: setting size is 3; it is one of",
        ),
        ("region = ", "s.toml: Invalid value"),
    ],
)
def test_what_is_wrong_is_told_by_file_key_value_and_rule(text: str, message: str) -> None:
    with pytest.raises(BadStage) as error:
        parse("s", text, "s.toml")
    assert message in str(error.value)


def test_an_existing_network_has_a_subnet_of_each_kind_in_each_zone() -> None:
    text = (STAGES / "shared.toml").read_text().replace('"subnet-0123456789abcdef2", ', "")
    with pytest.raises(
        BadStage, match=r"network\.existing\.isolated_subnets is .*must be 2 or more"
    ):
        parse("s", text, "s.toml")
    three = text.replace(
        '["us-east-1a", "us-east-1b"]', '["us-east-1a", "us-east-1b", "us-east-1c"]'
    )
    with pytest.raises(
        BadStage, match=r"isolated_subnets|public_subnets has 2 subnets for 3 zones"
    ):
        parse("s", three, "s.toml")


@pytest.mark.parametrize("name", ["local", "Prod", "a_b", "x" * 21])
def test_a_stage_that_could_not_be_named_so_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.toml").write_text(REGION)
    with pytest.raises(BadStage, match="a stage's name is its file's"):
        load(name, tmp_path)


def test_a_stage_without_a_file_is_told_which_there_are() -> None:
    with pytest.raises(BadStage, match=f"stages are {', '.join(stages())}"):
        load("staging")


def test_the_most_that_a_stage_sets_for_all_apps_fits_into_a_functions_variables() -> None:
    most = {"environment": {"A": "x" * (LONGEST_DEFAULTS - 20)}}
    place = aws_place(
        replace(load("full"), app_defaults=most),
        "123456789012",
        subnets=("subnet-0123456789abcdef0",) * 3,
        task_security_group="sg-0123456789abcdef0",
        websocket_api="a123456789",
        file_system="fs-0123456789abcdef0",
        access_point="fsap-0123456789abcdef0",
        edge_proof="x" * 64,
    )
    layers.check_defaults(most)
    for function in DECLARED.functions:
        variables = DECLARED.environment_of(place, function)
        assert sum(len(name) + len(value) for name, value in variables.items()) < 4096


def test_what_a_stage_sets_for_all_apps_reaches_the_parts_that_read_their_settings() -> None:
    environment = environments.agent(aws_place(load("full")))
    settings = Settings.from_environment(environment)
    resolved = resolve([deployment(settings.app_defaults)])
    assert resolved.settings == AppSettings(
        app_idle_timeout=60, environment={"TZ": "Europe/Berlin"}
    )
