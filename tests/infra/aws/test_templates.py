"""What must hold of every stage's templates, whatever else changes."""

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from chalicelib.agents.protocol import PORT
from chalicelib.apps.locations import RESERVED_PREFIX
from infra.aws.cloudformation import MOST_TEMPLATE_BYTES
from infra.aws.errors import NotSynthesised
from infra.aws.place import API_STAGE, aws_place
from infra.aws.settings import RETENTIONS, Stage, load
from infra.aws.synth import synthesise
from infra.declared import DECLARED, TREE, environments
from tests.infra.aws.templates import Templates, resources


def test_templates_are_not_too_large_and_those_before_the_bucket_fit_into_a_request(
    stage: Stage, templates: Templates
) -> None:
    for template in templates[stage.name]:
        size = len(json.dumps(template.body, separators=(",", ":")))
        assert size < 1_000_000, template.stack
        assert len(template.body["Resources"]) < 500, template.stack
        if template.stack.endswith(("-network", "-data")) or template.region != stage.region:
            assert size <= MOST_TEMPLATE_BYTES, template.stack


def test_what_a_release_may_take_away_is_not_exported_as_no_export_can_go_before_what_reads_it(
    stage: Stage, templates: Templates
) -> None:
    for template in templates[stage.name]:
        if template.stack.endswith(("-roles", "-functions", "-compute", "-orchestration")):
            assert not [
                name
                for name, output in template.body.get("Outputs", {}).items()
                if "Export" in output
            ], template.stack


def test_nothing_waits_at_a_price(stage: Stage, templates: Templates) -> None:
    """FACTS E6b: no NAT gateway, no interface endpoint, no load balancer."""
    for kind in (
        "AWS::EC2::NatGateway",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::EC2::EIP",
        "AWS::ECS::Service",
    ):
        assert not dict(resources(templates[stage.name], kind))
    for name, endpoint in resources(templates[stage.name], "AWS::EC2::VPCEndpoint"):
        assert endpoint["Properties"]["VpcEndpointType"] == "Gateway", name
        assert "execute-api" not in json.dumps(endpoint), "FACTS W10"


def test_buckets_are_encrypted_versioned_private_kept_and_tell_what_happens_in_them(
    stage: Stage, templates: Templates
) -> None:
    buckets = dict(resources(templates[stage.name], "AWS::S3::Bucket"))
    assert buckets
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert properties["NotificationConfiguration"]["EventBridgeConfiguration"][
            "EventBridgeEnabled"
        ]  # FACTS E7
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    for _, policy in resources(templates[stage.name], "AWS::S3::BucketPolicy"):
        assert '"aws:SecureTransport": "false"' in json.dumps(policy)


def test_kept_tables_are_backed_up_and_outlive_their_stack(
    stage: Stage, templates: Templates
) -> None:
    kept = [
        table
        for name, table in resources(templates[stage.name], "AWS::DynamoDB::Table")
        if "-data/" in name
    ]
    assert len(kept) >= 3
    for table in kept:
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True
        }
        assert table["Properties"]["DeletionProtectionEnabled"] is stage.protected
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"


def test_tables_cost_nothing_while_idle(stage: Stage, templates: Templates) -> None:
    for name, table in resources(templates[stage.name], "AWS::DynamoDB::Table"):
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST", name


def test_the_file_system_is_encrypted_kept_and_entered_by_tls_and_access_points_only(
    stage: Stage, templates: Templates
) -> None:
    [file_system] = [one for _, one in resources(templates[stage.name], "AWS::EFS::FileSystem")]
    assert file_system["Properties"]["Encrypted"] is True
    assert file_system["DeletionPolicy"] == "Retain"
    denied = [
        statement["Condition"]
        for statement in file_system["Properties"]["FileSystemPolicy"]["Statement"]
    ]
    assert denied == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
    ]


def test_logs_do_not_grow_for_ever(stage: Stage, templates: Templates) -> None:
    for name, group in resources(templates[stage.name], "AWS::Logs::LogGroup"):
        assert group["Properties"]["RetentionInDays"] in RETENTIONS, name


def test_datasync_may_write_what_it_could_not_copy_to_its_log_group_and_to_no_other(
    stage: Stage, templates: Templates
) -> None:
    [policy] = [
        one["Properties"]
        for _, one in resources(templates[stage.name], "AWS::Logs::ResourcePolicy")
    ]
    document = json.dumps(policy["PolicyDocument"])
    assert "datasync.amazonaws.com" in document and "aws:SourceAccount" in document
    assert re.findall(r'"Fn::GetAtt": \["(\w+)", "Arn"\]', document) == [
        name.rpartition("/")[2]
        for name, group in resources(templates[stage.name], "AWS::Logs::LogGroup")
        if group["Properties"]["LogGroupName"] == f"/sheen/{stage.name}/transfers"
    ]


def test_tasks_let_in_nobody_but_the_functions_on_the_agents_port(
    stage: Stage, templates: Templates
) -> None:
    for name, group in resources(templates[stage.name], "AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in group["Properties"], name
    by_port = {
        ingress["Properties"]["FromPort"]: ingress["Properties"]
        for _, ingress in resources(templates[stage.name], "AWS::EC2::SecurityGroupIngress")
    }
    assert by_port.keys() == {PORT, 2049}
    for ingress in by_port.values():
        assert "CidrIp" not in ingress
        assert "SourceSecurityGroupId" in ingress


def test_tags_and_a_boundary_are_on_all_that_can_have_them(templates: Templates) -> None:
    for _, bucket in resources(templates["full"], "AWS::S3::Bucket"):
        tags = {tag["Key"]: tag["Value"] for tag in bucket["Properties"]["Tags"]}
        assert tags == {
            "application": "sheen",
            "stage": "full",
            "team": "data-science",
            "cost-centre": "4711",
        }
    roles = dict(resources(templates["full"], "AWS::IAM::Role"))
    assert roles
    for name, role in roles.items():
        assert "team-boundary" in json.dumps(role["Properties"]["PermissionsBoundary"]), name


def test_a_key_of_its_own_encrypts_all_that_is_kept_and_is_used_by_services_only(
    templates: Templates,
) -> None:
    [key] = [one for _, one in resources(templates["full"], "AWS::KMS::Key")]
    assert key["Properties"]["EnableKeyRotation"] is True
    for statement in key["Properties"]["KeyPolicy"]["Statement"]:
        if statement["Principal"] == {"AWS": "*"}:
            assert {"kms:CallerAccount", "kms:ViaService"} <= statement["Condition"][
                "StringEquals"
            ].keys()
    assert all(
        "KMSMasterKeyId" in json.dumps(table)
        for _, table in resources(templates["full"], "AWS::DynamoDB::Table")
    )
    assert all(
        "aws:kms" in json.dumps(bucket)
        for _, bucket in resources(templates["full"], "AWS::S3::Bucket")
    )
    assert all(
        "KmsKeyId" in one["Properties"]
        for _, one in resources(templates["full"], "AWS::EFS::FileSystem")
    )


def test_no_role_is_wider_than_what_is_declared_for_it(stage: Stage, templates: Templates) -> None:
    for name, role in resources(templates[stage.name], "AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role["Properties"], name
        for policy in role["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = (
                    statement["Action"]
                    if isinstance(statement["Action"], list)
                    else [statement["Action"]]
                )
                assert not any("*" in action for action in actions), (name, statement)


def test_tasks_have_a_read_only_root_and_files_by_tls_unless_operators_want_a_shell(
    stage: Stage, templates: Templates
) -> None:
    tasks = dict(resources(templates[stage.name], "AWS::ECS::TaskDefinition"))
    assert tasks
    for name, task in tasks.items():
        [container] = task["Properties"]["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is not stage.compute.exec, name
        files = {
            one["Name"]: one["EFSVolumeConfiguration"]
            for one in task["Properties"]["Volumes"]
            if "EFSVolumeConfiguration" in one
        }
        assert files
        for volume in files.values():
            assert (
                volume["TransitEncryption"] == "ENABLED"
                and volume["AuthorizationConfig"]["IAM"] == "ENABLED"
            ), name
        assert len(
            {
                json.dumps(volume["AuthorizationConfig"]["AccessPointId"])
                for volume in files.values()
            }
        ) == len(files), name
        places = {
            one["SourceVolume"]: one
            for one in container["MountPoints"]
            if one["SourceVolume"] in files
        }
        [declared] = [
            one
            for one in DECLARED.task_definitions
            if task["Properties"]["Family"].endswith(f"-{one.name}")
        ]
        assert {volume: not one["ReadOnly"] for volume, one in places.items()} == {
            one.root: one.write for one in declared.mounts
        }, name
        assert {one["ContainerPath"] for one in places.values()} == {
            f"/mnt/sheen/{volume}" for volume in files
        }, name


def test_tasks_are_run_with_a_shell_where_the_stage_says_so(stage: Stage) -> None:
    wanted = "true" if stage.compute.exec else "false"
    assert environments.outside(aws_place(stage))["SHEEN_EXECUTE_COMMAND"] == wanted


def test_the_last_releases_of_each_image_are_kept(stage: Stage, templates: Templates) -> None:
    [repository] = [
        one["Properties"] for _, one in resources(templates[stage.name], "AWS::ECR::Repository")
    ]
    rules = [
        rule["selection"]
        for rule in json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    ]
    assert [rule["tagPrefixList"] for rule in rules] == [["agent-"], ["builds-"]]
    assert {rule["countNumber"] for rule in rules} == {stage.compute.images_kept}


def test_sockets_and_pages_have_one_domain_behind_cloudfront(templates: Templates) -> None:
    [distribution] = [
        one["Properties"]["DistributionConfig"]
        for _, one in resources(templates["full"], "AWS::CloudFront::Distribution")
    ]
    assert distribution["Aliases"][0] == "apps.shiny.example.org"
    [sockets] = distribution["CacheBehaviors"]
    assert sockets["PathPattern"] == f"/{API_STAGE}"
    by_id = {origin["Id"]: origin for origin in distribution["Origins"]}
    pages = by_id[distribution["DefaultCacheBehavior"]["TargetOriginId"]]
    assert pages["OriginPath"] == f"/{API_STAGE}"
    assert (
        "OriginPath" not in by_id[sockets["TargetOriginId"]]
    )  # FACTS W5: the stage, and nothing after it
    assert distribution["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    firewalls = [one["Properties"] for _, one in resources(templates["full"], "AWS::WAFv2::WebACL")]
    assert {firewall["Scope"]: [*firewall["DefaultAction"]] for firewall in firewalls} == {
        "CLOUDFRONT": ["Allow"],
        "REGIONAL": ["Block"],
    }
    assert API_STAGE.startswith(RESERVED_PREFIX), "no app's location begins so"


def test_the_budget_is_about_the_stage_or_about_the_account(templates: Templates) -> None:
    def filters(stage: str) -> Any:
        [budget] = [
            one["Properties"]["Budget"]
            for _, one in resources(templates[stage], "AWS::Budgets::Budget")
        ]
        return budget.get("CostFilters")

    assert filters("full") == {"TagKeyValue": ["user:stage$full"]}
    assert filters("shared") is None


def test_no_service_takes_a_role_on_for_another_account(stage: Stage, templates: Templates) -> None:
    for name, role in resources(templates[stage.name], "AWS::IAM::Role"):
        [statement] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] != {"Service": "lambda.amazonaws.com"}:
            assert statement["Condition"] == {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
            }, name


def test_the_zones_are_those_that_the_stage_names(templates: Templates) -> None:
    subnets = [
        one["Properties"]["AvailabilityZone"]
        for _, one in resources(templates["full"], "AWS::EC2::Subnet")
    ]
    assert sorted(set(subnets)) == list(load("full").network.zone_names)
    assert all(
        "Fn::Select" in one["Properties"]["AvailabilityZone"]
        for _, one in resources(templates["prod"], "AWS::EC2::Subnet")
    )


def test_operators_are_told_what_to_do_at_each_alarm(stage: Stage, templates: Templates) -> None:
    page = (TREE / "docs" / "operator.md").read_text()
    for _, alarm in resources(templates[stage.name], "AWS::CloudWatch::Alarm"):
        name = alarm["Properties"]["AlarmName"].removeprefix(f"{stage.base}-")
        assert f"`{name}`" in page, name


def test_a_template_that_breaks_a_rule_is_refused_by_the_rules_name(tmp_path: Path) -> None:
    with (
        pytest.raises(NotSynthesised, match=r"AwsSolutions-VPC7: sheen-prod-network/Vpc"),
        mock.patch("infra.aws.stacks.network.accept"),
    ):
        synthesise(load("prod"), tmp_path)
