"""Data that must never be lost: the bucket, the kept tables and the file system.

``make destroy`` keeps this stack.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.aws.place import in_template
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept
from infra.aws.stacks.tables import add_tables
from infra.declared import Declared, Place

_ENCRYPTING = ("dynamodb", "s3", "elasticfilesystem")


class DataStack(SheenStack):
    """Bucket, kept tables and file system, and the key that encrypts them."""

    def __init__(self, scope: Construct, stage: Stage, declared: Declared, place: Place) -> None:
        super().__init__(
            scope, stage, "data", "bucket, kept tables, file system; kept by make destroy"
        )
        self.key = self._add_key() if stage.storage.customer_key else None
        self.bucket = self._add_bucket(declared, place)
        self.tables = add_tables(
            self, [table for table in declared.tables if table.kept], place, self.key
        )
        self.file_system = self._add_file_system()
        self.tell("Bucket", self.bucket.bucket_name, "Bundles, outcomes, large bodies")
        self.tell("FileSystemId", self.file_system.ref, "Versions of apps, and their data")

    def _add_key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            alias=f"alias/{self.stage.base}",
            description=f"Sheen, stage {self.stage.name}: bucket, tables and file system",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        # The key policy follows that of AWS's own keys: the right to use a table, an object or a
        # file decides, not a separate right to use the key.
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ByTheServicesForThisAccount",
                principals=[iam.AnyPrincipal()],
                actions=[
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:CreateGrant",
                    "kms:DescribeKey",
                ],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": cdk.Aws.ACCOUNT_ID,
                        "kms:ViaService": [
                            f"{service}.{self.stage.region}.amazonaws.com"
                            for service in _ENCRYPTING
                        ],
                    }
                },
            )
        )
        self.tell("KeyArn", key.key_arn, "Encrypts bucket, tables and file system")
        return key

    def _add_bucket(self, declared: Declared, place: Place) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bundles",
            bucket_name=in_template(place.bucket),
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        accept(
            bucket,
            "S1",
            "Server access logs would cost more than the requests that they log; who "
            "publishes is in the bundles table, and CloudTrail's "
            "data events can be turned on for the account",
        )
        plain = bucket.node.default_child
        # These are set as properties. CDK's constructs for notifications and CORS would add a
        # Lambda of CDK's own, and use other names than S3's.
        plain.add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
        plain.add_property_override(
            "LifecycleConfiguration.Rules",
            _lifecycle(declared, self.stage.storage.old_versions_days),
        )
        if declared.bucket.cors:
            plain.add_property_override(
                "CorsConfiguration.CorsRules", [_cors(rule) for rule in declared.bucket.cors]
            )
        return bucket

    def _add_file_system(self) -> efs.CfnFileSystem:
        file_system = efs.CfnFileSystem(
            self,
            "FileSystem",
            encrypted=True,
            kms_key_id=self.key.key_arn if self.key else None,
            performance_mode="generalPurpose",
            # Elastic throughput has no credits that a small file system could use up. Its price
            # depends on what is read and written.
            throughput_mode="elastic",
            lifecycle_policies=[
                {"transitionToIa": "AFTER_30_DAYS"},
                {"transitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
            ],
            backup_policy={"status": "ENABLED" if self.stage.storage.backups else "DISABLED"},
            file_system_policy=_only_encrypted_and_by_access_points(),
            file_system_tags=[{"key": "Name", "value": self.stage.base}],
        )
        file_system.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return file_system


def _lifecycle(declared: Declared, old_versions_days: int) -> list[dict[str, Any]]:
    """Return the declared rules, extended to old versions.

    What was deleted or overwritten expires as soon as objects of its kind would have, or after
    ``old_versions_days``.
    """
    expiring = [
        {
            "Id": rule["ID"],
            "Status": rule["Status"],
            "Prefix": rule["Filter"]["Prefix"],
            "ExpirationInDays": rule["Expiration"]["Days"],
            "NoncurrentVersionExpiration": {"NoncurrentDays": rule["Expiration"]["Days"]},
            "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
        }
        for rule in declared.bucket.lifecycle()
    ]
    everything = {
        "Id": "old-versions",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": old_versions_days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "ExpiredObjectDeleteMarker": True,
    }
    return [*expiring, everything]


def _cors(rule: Any) -> dict[str, Any]:
    """Return a rule of PutBucketCors under CloudFormation's names."""
    names = {"ExposeHeaders": "ExposedHeaders", "MaxAgeSeconds": "MaxAge"}
    return {names.get(name, name): value for name, value in rule.items()}


def _only_encrypted_and_by_access_points() -> dict[str, Any]:
    """Return a policy that denies mounts without TLS or without an access point.

    The statements of the roles define who may mount.
    """

    def deny(action: str, condition: dict[str, Any]) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=[action],
            resources=["*"],
            conditions=condition,
        )

    statements = [
        deny("*", {"Bool": {"aws:SecureTransport": "false"}}),
        deny("elasticfilesystem:Client*", {"Null": {"elasticfilesystem:AccessPointArn": "true"}}),
    ]
    document: dict[str, Any] = iam.PolicyDocument(statements=statements).to_json()
    return document
