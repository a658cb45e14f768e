"""Limits of sizes and times, in bytes and seconds."""

LARGEST_ANSWER = (6_291_456 - 65_536) * 3 // 4
"""Bytes that fit into a Lambda's answer after base64, with room for the headers (FACTS H1)."""

DIRECT_UPLOAD = 4 * 1024 * 1024
"""Larger files go through S3.

A file of this size fits into a Lambda's event with base64 and a request's headers (FACTS H1).
``client/src/upload.ts`` has a copy.
"""

PART = 8 * 1024 * 1024
"""The usual part of a multipart upload; S3 wants at least 5 MiB, except for the last part."""
MOST_PARTS = 10_000
"""S3's limit of parts of an upload."""
LARGEST_OBJECT = 5 * 1024**4
"""S3's limit of an object's size."""

PATIENCE = 20.0
"""Seconds without an answer after which the browser is told to ask again.

The gateway gives up after 29 seconds (FACTS H1). A browser follows 20 redirects, so R has six
minutes to answer.
"""
PAGE_PATIENCE = 10.0
"""Seconds without a page after which the visitor gets a page that says that the app is busy.

That page asks again.
"""
ABANDONED = 60.0
"""Seconds after which an answer that nobody asks for again is dropped."""
LONGEST_PAGE = 900.0
"""Seconds that R may take for a page while its visitor waits."""
MOST_PAGES = 256
"""The most visitors of one instance who wait for pages."""
PAGES_BYTES = 64 * 1024 * 1024
"""The most bytes of all kept pages together; the oldest pages are dropped."""

LINK_SECONDS = 900
"""Seconds for which the link to an answer may be used to start or resume a download."""
KEPT_SECONDS = 4 * 3600.0
"""Seconds after which the agent deletes an answer's object.

If the agent is gone by then, the bucket's lifecycle rule deletes the object.
"""
PART_LINK_SECONDS = 3600
"""Seconds for which the link to a part may be used to start sending it.

After that, the browser asks for new links.
"""
MOST_LINKS = 64
"""The most links given in one answer."""
MOST_UPLOADS = 8
"""The most concurrent uploads of one session."""

LARGEST_REQUEST = 16 * 1024
"""The most bytes of a browser's message about an upload."""
LARGEST_REPLY = 3 * 1024 * 1024
"""The most bytes of R's answer to what came through S3.

In base64 it fits into a Lambda's answer. To a file, shiny answers ``OK``.
"""
LARGEST_BODY = 64 * 1024 * 1024
"""The most bytes of a body that a page's script sends to the app.

A file of ``fileInput`` may be larger.
"""
