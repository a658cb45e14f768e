"""Bodies too large for API Gateway and Lambda (FACTS H1), which go by S3 instead: what is decided about them, without I/O.

An answer larger than a Lambda may return becomes an object, and the visitor is sent there by a redirect with a presigned URL. A file larger
than a Lambda may take is put to S3 by the browser, in parts with presigned URLs, and the agent gives the object to R as if it had been
posted. The agent decides and signs both with its task's role: it alone knows the session, R's answer and when the object is complete, so
no Lambda needs a right on S3. A URL is good for as long as :mod:`chalicelib.configuration.limits` says, but no longer than
the role's credentials, which are renewed a quarter of an hour before they end.
"""
