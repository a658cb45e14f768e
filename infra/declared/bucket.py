"""The one bucket: how long it keeps its objects, and which pages may reach it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.apps.trees import PREFIX as TREES
from chalicelib.bodies.keys import PREFIX as BODIES
from chalicelib.publishing.keys import KEPT, OUTCOMES
from chalicelib.publishing.keys import PREFIX as BUNDLES

__all__ = ["BODIES", "BUCKET", "BUNDLES", "KEPT", "OUTCOMES", "TREES", "BucketRules"]

_FOR_PAGES = (
    {
        # Apps can have any domain, so pages of every origin are allowed. The URL's signature grants
        # access, to one object and one method.
        "AllowedOrigins": ["*"],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": [
            "ETag",
            "Accept-Ranges",
            "Content-Range",
            "Content-Disposition",
            "Content-Encoding",
        ],
        "MaxAgeSeconds": 3600,
    },
)


@dataclass(frozen=True, slots=True)
class BucketRules:
    """How long the bucket keeps which objects, and which pages may use its presigned URLs."""

    expiring: Mapping[str, int]
    """Key prefix → days after which its objects are deleted and multipart uploads aborted."""
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
"""An upload is needed only until it is built, because each version keeps a copy of its bundle."""
