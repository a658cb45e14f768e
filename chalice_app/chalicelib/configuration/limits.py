"""How large and how long. Bytes and seconds."""

LARGEST_ANSWER = (6_291_456 - 65_536) * 3 // 4
"""Bytes that fit into a Lambda's answer after base64, with room for the headers (FACTS H1)."""

DIRECT_UPLOAD = 4 * 1024 * 1024
"""A larger file goes by S3: base64 and a request's headers fit beside it into a Lambda's event (FACTS H1). ``client/src/upload.ts``
has the same number."""

PART = 8 * 1024 * 1024
"""The usual part of a multipart upload; S3 wants 5 MiB at least, but for the last."""
MOST_PARTS = 10_000
"""S3's."""
LARGEST_OBJECT = 5 * 1024**4
"""S3's."""

PATIENCE = 20.0
"""After so long without an answer the browser is told to ask again: the gateway gives up after 29 seconds (FACTS H1). A browser follows 20
redirects, so R has six minutes to answer."""
PAGE_PATIENCE = 10.0
"""After so long without a page the visitor gets one that says that the app is busy, and asks again."""
ABANDONED = 60.0
"""An answer that nobody asks for again in this time is dropped."""
LONGEST_PAGE = 900.0
"""So long R may take for a page, while its visitor waits."""
MOST_PAGES = 256
"""So many visitors of one instance may wait for pages."""
PAGES_BYTES = 64 * 1024 * 1024
"""So much the pages that are kept may hold together; the oldest are dropped."""

LINK_SECONDS = 900
"""How long the link to an answer may be used to start, or to resume, a download."""
KEPT_SECONDS = 4 * 3600.0
"""Then the agent deletes an answer's object, if it still lives; the bucket's lifecycle rule deletes the others."""
PART_LINK_SECONDS = 3600
"""How long the link to a part may be used to start sending it; the browser asks for new ones then."""
MOST_LINKS = 64
"""Links given in one answer."""
MOST_UPLOADS = 8
"""Uploads of one session at once."""

LARGEST_REQUEST = 16 * 1024
"""Of what the browser says about an upload."""
LARGEST_REPLY = 3 * 1024 * 1024
"""Of what R may answer to what came by S3: in base64 it fits into a Lambda's answer. To a file shiny says ``OK``."""
LARGEST_BODY = 64 * 1024 * 1024
"""Of a body that a script of the page sends to the app; a file of ``fileInput`` may have more."""
