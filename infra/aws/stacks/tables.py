"""DynamoDB tables from their declarations, which the local stack uses too."""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms

from infra.aws.stacks.base import SheenStack, accept
from infra.declared import Place, TableDeclaration
from infra.declared.names import camel


def add_tables(
    stack: SheenStack, tables: Iterable[TableDeclaration], place: Place, key: kms.IKey | None
) -> dict[str, dynamodb.CfnTable]:
    """Add the tables to a stack; return them by their short names.

    Kept tables have backups and survive the stack.
    """
    return {table.name: _add_table(stack, table, place, key) for table in tables}


def _add_table(
    stack: SheenStack, table: TableDeclaration, place: Place, key: kms.IKey | None
) -> dynamodb.CfnTable:
    definition = table.definition(place)
    created = dynamodb.CfnTable(
        stack,
        camel(table.name) + "Table",
        table_name=definition["TableName"],
        billing_mode=definition["BillingMode"],
        key_schema=_keys(definition["KeySchema"]),
        attribute_definitions=[
            dynamodb.CfnTable.AttributeDefinitionProperty(
                attribute_name=one["AttributeName"], attribute_type=one["AttributeType"]
            )
            for one in definition["AttributeDefinitions"]
        ],
        global_secondary_indexes=[
            dynamodb.CfnTable.GlobalSecondaryIndexProperty(
                index_name=index["IndexName"],
                key_schema=_keys(index["KeySchema"]),
                projection=dynamodb.CfnTable.ProjectionProperty(
                    projection_type=index["Projection"]["ProjectionType"],
                    non_key_attributes=index["Projection"].get("NonKeyAttributes"),
                ),
            )
            for index in definition.get("GlobalSecondaryIndexes", ())
        ]
        or None,
        stream_specification=dynamodb.CfnTable.StreamSpecificationProperty(
            stream_view_type=table.stream
        )
        if table.stream
        else None,
        time_to_live_specification=dynamodb.CfnTable.TimeToLiveSpecificationProperty(
            attribute_name=table.ttl_attribute, enabled=True
        )
        if table.ttl_attribute
        else None,
        point_in_time_recovery_specification=dynamodb.CfnTable.PointInTimeRecoverySpecificationProperty(
            point_in_time_recovery_enabled=table.kept
        ),
        sse_specification=dynamodb.CfnTable.SSESpecificationProperty(
            sse_enabled=True, sse_type="KMS", kms_master_key_id=key.key_arn
        )
        if key
        else None,
        deletion_protection_enabled=table.kept and stack.stage.protected,
    )
    created.apply_removal_policy(
        cdk.RemovalPolicy.RETAIN if table.kept else cdk.RemovalPolicy.DESTROY
    )
    if not table.kept:
        accept(
            created,
            "DDB3",
            "It holds what is running now; none of it would mean anything in a copy of an hour ago",
        )
    return created


def _keys(schema: Iterable[dict[str, str]]) -> list[dynamodb.CfnTable.KeySchemaProperty]:
    return [
        dynamodb.CfnTable.KeySchemaProperty(
            attribute_name=key["AttributeName"], key_type=key["KeyType"]
        )
        for key in schema
    ]
