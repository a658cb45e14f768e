"""The errors with which each service refuses a call."""

from infra.emulator.aws_errors import AwsError
from infra.emulator.rights.policy import Decision, NeededRight, PolicyVerdict

_CODES = {
    "s3": ("AccessDenied", 403),
    "iam": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "lambda": ("AccessDeniedException", 403),
    "execute-api": ("ForbiddenException", 403),
}


def refusal(service: str, caller: str, need: NeededRight, decision: Decision) -> AwsError:
    """Return the error of ``service``; ``caller`` is the ARN of the caller."""
    if decision.verdict is PolicyVerdict.DENIED:
        why = "with an explicit deny in an identity-based policy"
    else:
        why = f"because no identity-based policy allows the {need.action} action"
    return denied(
        service,
        f"User: {caller} is not authorized to perform: {need.action} on resource: "
        f"{need.resource} {why}",
    )


def denied(service: str, message: str) -> AwsError:
    """Return a service's own access-denied error with the given message."""
    code, status = _CODES.get(service, ("AccessDeniedException", 400))
    return AwsError(code, message, status)
