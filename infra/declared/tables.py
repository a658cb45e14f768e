"""The tables of DynamoDB."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.tables import Table
from chalicelib.errands.model import Errand
from chalicelib.instances.model import Instance
from chalicelib.lambdas import schema
from infra.declared.place import Place

EXPIRY_ATTRIBUTE = "expires_at"
"""Attribute for TTL, in every model that has it (FACTS D1)."""


@dataclass(frozen=True, slots=True)
class TableDeclaration:
    """A DynamoDB table, billed by request."""

    name: str
    """Its name without the deployment's prefix."""
    keys: Mapping[str, str]
    """Key attribute → HASH or RANGE, in this order."""
    attribute_types: Mapping[str, str]
    indexes: tuple[Mapping[str, Any], ...] = ()
    """GlobalSecondaryIndexes, as CreateTable takes them."""
    ttl_attribute: str | None = None
    stream: str | None = None
    """StreamViewType, if it has a stream."""
    kept: bool = False
    """Whether it holds what people published and configured, so that it must be backed up."""

    def definition(self, place: Place) -> dict[str, Any]:
        """Return the parameters of CreateTable."""
        definition: dict[str, Any] = {
            "TableName": place.name(self.name),
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in self.keys.items()
            ],
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in self.attribute_types.items()
            ],
        }
        if self.indexes:
            definition["GlobalSecondaryIndexes"] = [dict(index) for index in self.indexes]
        if self.stream:
            definition["StreamSpecification"] = {
                "StreamEnabled": True,
                "StreamViewType": self.stream,
            }
        return definition


def table(model: type[Table], *, stream: str | None = None) -> TableDeclaration:
    """Declare the table whose schema is a model."""
    described = model._get_schema()
    keys = {key["AttributeName"]: key["KeyType"] for key in described["key_schema"]}
    return TableDeclaration(
        name=model.short_name,
        keys=dict(sorted(keys.items(), key=lambda item: item[1])),  # HASH comes before RANGE
        attribute_types={
            attribute["AttributeName"]: attribute["AttributeType"]
            for attribute in described["attribute_definitions"]
        },
        indexes=tuple(
            {
                "IndexName": index["index_name"],
                "KeySchema": index["key_schema"],
                "Projection": index["projection"],
            }
            for index in described["global_secondary_indexes"]
        ),
        ttl_attribute=EXPIRY_ATTRIBUTE if EXPIRY_ATTRIBUTE in model.get_attributes() else None,
        stream=stream,
        kept=model.kept,
    )


_STREAMS: Mapping[type[Table], str] = {
    Instance: "NEW_AND_OLD_IMAGES",
    Errand: "KEYS_ONLY",  # a stream keeps a day what may be a secret
}

TABLES = tuple(table(model, stream=_STREAMS.get(model)) for model in schema.TABLES)
