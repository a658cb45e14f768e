"""Bodies too large for API Gateway and Lambda (FACTS H1), which go by S3. Decisions only, no I/O.

An answer larger than a Lambda may return becomes an object, and a redirect sends the visitor to its
presigned URL. A browser puts a file larger than a Lambda may take to S3 itself, in parts with
presigned URLs. The agent then gives the object to R as if it had been posted.

The agent decides and signs both, with its task's role. Only the agent knows the session, R's answer
and when the object is complete, and this way no Lambda needs a right on S3. A URL is valid for as
long as :mod:`chalicelib.configuration.limits` says, but no longer than the role's credentials.
These are renewed a quarter of an hour before they end.
"""
