"""What the command says when AWS, or the local stack, refuses or fails. Pure."""

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from pynamodb.exceptions import PynamoDBException

AWS_ERRORS = (BotoCoreError, ClientError, Boto3Error, PynamoDBException)
"""The base classes of all errors that boto3 and PynamoDB raise."""

_UNKNOWN_KEYS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
    | {
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    }
    | {
        "AuthFailure",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_TOO_MANY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
    | {"ProvisionedThroughputExceededException", "LimitExceededException", "EC2ThrottledException"}
)
_NOT_THERE = frozenset({"ResourceNotFoundException", "NoSuchBucket"})


def sentence(error: Exception) -> str:
    """Return one line that says what happened and the way out, for one of :data:`AWS_ERRORS`."""
    match _cause(error):
        case ClientError(response=response, operation_name=operation):
            code, message = response["Error"].get("Code", ""), response["Error"].get("Message", "")
            return (
                f"AWS refused {operation}: {' '.join(f'{code}: {message}'.split())}; "
                f"{_way_out(code)}"
            )
        case (ConnectionError() | HTTPClientError()) as unreachable:
            way_out = (
                "look whether the deployment (locally `make run`) is up and AWS_ENDPOINT_URL "
                "names it, and try again"
            )
            return f"AWS does not answer: {_line(unreachable)}; {way_out}"
        case BotoCoreError() as unready:
            return (
                f"AWS was not asked: {_line(unready)}; sign in, or say with AWS_PROFILE and "
                "AWS_REGION as whom and where"
            )
        case other:
            return f"AWS failed: {_line(other)}; try again"


def _cause(error: BaseException) -> BaseException:
    """Return botocore's own error, which PynamoDB and boto3's transfers wrap."""
    inner = (
        error.cause
        if isinstance(error, PynamoDBException)
        else error.__context__
        if isinstance(error, Boto3Error)
        else None
    )
    return inner or error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _way_out(code: str) -> str:
    if code in _UNKNOWN_KEYS:
        return (
            'sign in anew (locally `eval "$(sheen env)"`); the keys of the environment or '
            "the profile are not valid, or not any more"
        )
    if code in _FORBIDDEN:
        return "ask the deployment's operator for the right, or sign in as somebody who has it"
    if code in _TOO_MANY:
        return "AWS is asked too often at the moment: try again in a minute"
    if code in _NOT_THERE:
        return (
            "look whether SHEEN_TABLE_PREFIX, SHEEN_BUCKET and the region are those of a deployment"
        )
    return "try again"
