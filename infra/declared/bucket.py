"""The one bucket: what it keeps how long, and who may reach it from a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.bodies.keys import PREFIX as BODIES
from chalicelib.publishing.keys import KEPT, OUTCOMES
from chalicelib.publishing.keys import PREFIX as BUNDLES

__all__ = ["BODIES", "BUCKET", "BUNDLES", "KEPT", "OUTCOMES", "BucketRules"]

_FOR_PAGES = (
    {
        # A page comes from whatever domain the apps have; it is the URL's signature that lets it in, for one object and method.
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "Accept-Ranges", "Content-Range", "Content-Disposition", "Content-Encoding"],
        "MaxAgeSeconds": 3600,
    },
)


@dataclass(frozen=True, slots=True)
class BucketRules:
    """How long the one bucket keeps what, and which pages may use its presigned URLs."""

    expiring: Mapping[str, int]
    """Key prefix → days after which objects below it are deleted, and multipart uploads given up."""
    cors: tuple[Mapping[str, Any], ...] = ()
    """CORSRules as PutBucketCors takes them."""

    def lifecycle(self) -> list[dict[str, Any]]:
        """Return the rules as PutBucketLifecycleConfiguration takes them."""
        return [
            {
                "ID": prefix.strip("/"),
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                "Expiration": {"Days": days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
            }
            for prefix, days in self.expiring.items()
        ]


BUCKET = BucketRules({BODIES: 1, BUNDLES: 30}, _FOR_PAGES)
"""An upload is needed until it is built: each version has its own copy of its bundle."""
