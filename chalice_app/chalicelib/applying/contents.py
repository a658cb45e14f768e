"""The objects of configurations in the bucket."""

from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.configuration.applied import Applied, Content
from chalicelib.configuration.errors import ConfigurationLost
from chalicelib.configuration.keys import applied_key, passwords_key

_MISSING = frozenset({"NoSuchKey", "AccessDenied"})
"""S3's answers for an object that is not there; the second, if the caller may not list."""


def fetch(bucket: str, configuration_id: str) -> Applied:
    """Read a configuration; raise :class:`ConfigurationLost` if it is not there or has errors."""
    return Applied.of(configuration_id, fetch_content(bucket, configuration_id))


def fetch_content(bucket: str, configuration_id: str) -> Content:
    """Read a configuration without checking it; raise :class:`ConfigurationLost`."""
    key = applied_key(configuration_id)
    try:
        answer = clients.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        raise ConfigurationLost(
            f"s3://{bucket}/{key} is not there; apply the file again with `sheen config apply FILE`"
        ) from error
    return Content.from_bytes(answer["Body"].read())


def put(bucket: str, configuration_id: str, content: Content, passwords: bytes | None) -> None:
    """Write a configuration and its password file; raise :class:`BadConfiguration`."""
    client = clients.client("s3")
    if passwords is not None:
        client.put_object(Bucket=bucket, Key=passwords_key(configuration_id), Body=passwords)
    client.put_object(
        Bucket=bucket,
        Key=applied_key(configuration_id),
        Body=content.to_bytes(),
        ContentType="application/json",
    )


def remove(bucket: str, configuration_id: str) -> None:
    """Remove a configuration and its password file; it may be gone already."""
    for key in (applied_key(configuration_id), passwords_key(configuration_id)):
        clients.client("s3").delete_object(Bucket=bucket, Key=key)
