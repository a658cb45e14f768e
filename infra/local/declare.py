"""Create what is declared in moto."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, SubElement, tostring

from infra.declared import BucketRules, Declared, Place, StateMachine
from infra.emulator.errors import CannotStart
from infra.emulator.moto.client import Moto, MotoFailed

_SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


async def create_storage(moto: Moto, declared: Declared, place: Place) -> None:
    """Create the bucket, the tables and the log groups."""
    async with moto.s3("PUT", f"/{place.bucket}") as response:
        if response.status != 200:
            raise MotoFailed(f"create bucket: {await response.text()}")
    for what, document in _bucket_documents(declared.bucket):
        async with moto.s3(
            "PUT",
            f"/{place.bucket}?{what}",
            headers={"Content-Type": "application/xml"},
            data=document,
        ) as response:
            if response.status >= 300:
                raise MotoFailed(f"set the bucket's {what}: {await response.text()}")
    for table in declared.tables:
        await moto.call("dynamodb", "CreateTable", table.definition(place))
        if table.ttl_attribute is not None:
            await moto.call(
                "dynamodb",
                "UpdateTimeToLive",
                {
                    "TableName": place.name(table.name),
                    "TimeToLiveSpecification": {
                        "Enabled": True,
                        "AttributeName": table.ttl_attribute,
                    },
                },
            )
    for group in declared.log_groups:
        name = place.log_group(group.name)
        await moto.call("logs", "CreateLogGroup", {"logGroupName": name})
        await moto.call(
            "logs",
            "PutRetentionPolicy",
            {"logGroupName": name, "retentionInDays": group.retention_days},
        )


async def create_topics(moto: Moto, declared: Declared, place: Place) -> None:
    """Create the SNS topics."""
    for topic in declared.topics:
        form = urlencode(
            {"Action": "CreateTopic", "Version": "2010-03-31", "Name": place.name(topic.name)}
        )
        async with moto.form("sns", form) as response:
            if response.status != 200:
                raise MotoFailed(f"create topic {topic.name}: {await response.text()}")


def _bucket_documents(rules: BucketRules) -> Iterator[tuple[str, bytes]]:
    """Yield a bucket's settings: the name of the subresource, and the XML that S3 takes."""
    if rules.expiring:
        yield "lifecycle", _xml("LifecycleConfiguration", {"Rule": rules.lifecycle()})
    if rules.cors:
        names = {
            "AllowedOrigins": "AllowedOrigin",
            "AllowedMethods": "AllowedMethod",
            "AllowedHeaders": "AllowedHeader",
        }
        names["ExposeHeaders"] = "ExposeHeader"
        every = [
            {names.get(name, name): value for name, value in rule.items()} for rule in rules.cors
        ]
        yield "cors", _xml("CORSConfiguration", {"CORSRule": every})


def _xml(root: str, content: Mapping[str, Any]) -> bytes:
    element = Element(root, xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    _fill(element, content)
    document: bytes = tostring(element)
    return document


def _fill(element: Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            child = SubElement(element, name)
            if isinstance(each, Mapping):
                _fill(child, each)
            else:
                child.text = str(each)


async def create_state_machines(moto: Moto, declared: Declared, place: Place) -> None:
    """Create the cluster and the state machines, from the same files that AWS gets."""
    await moto.call("ecs", "CreateCluster", {"clusterName": place.cluster})
    for machine in declared.state_machines:
        definition = substitute(machine, declared.substitutions(place, machine))
        try:
            await moto.call(
                "states",
                "CreateStateMachine",
                {
                    "name": place.name(machine.name),
                    "definition": definition,
                    "roleArn": place.role_arn(machine.role),
                },
            )
        except MotoFailed as error:
            raise CannotStart(f"{machine.file}: {error}") from error


def substitute(machine: StateMachine, values: Mapping[str, str]) -> str:
    """Return the machine's definition with ``${Name}`` replaced.

    Raise :class:`CannotStart` that names an unknown one.
    """
    try:
        text = machine.file.read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        raise CannotStart(f"state machine {machine.name}: {machine.file}: {error}") from error
    unknown = {name for name in _SUBSTITUTION.findall(text) if name not in values}
    if unknown:
        raise CannotStart(
            f"{machine.file}: nothing is called {', '.join(sorted(unknown))}; "
            f"infra/declared knows {', '.join(sorted(values))}"
        )
    return _SUBSTITUTION.sub(lambda match: values[match[1]], text)
