"""The app's secrets, which R gets as variables.

They are read from Secrets Manager when a worker starts, with the agent's role. Values go nowhere
else: not into a log, an error or a command line.
"""

import asyncio
from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from agent.failure import AppStartFailed
from agent.log import logger
from chalicelib.apps import grants
from chalicelib.aws.clients import client
from chalicelib.configuration.errors import BadAppSetting

_SENTENCE = "A secret that the app needs cannot be read."
_WHY = {
    "ResourceNotFoundException": "there is none of that name",
    "AccessDeniedException": "the deployment does not let its apps read it",
    "InvalidRequestException": "it is being deleted",
    "DecryptionFailure": "its key does not let the deployment's apps decrypt it",
}


async def resolve(wanted: Mapping[str, str], prefix: str, app: str) -> dict[str, str]:
    """Return the value of each variable in ``wanted``, which names the secret of each.

    ``prefix`` begins the names of all secrets of the deployment. ``app`` is the name of the app.

    Raise :class:`AppStartFailed`, which names the variable and the secret that cannot be read, and
    why.
    """
    for variable, name in wanted.items():
        try:
            grants.check_secret(app, variable, name)
        except BadAppSetting as error:
            raise _not_for_it(variable, prefix + name, error) from None
    values = await asyncio.gather(
        *(asyncio.to_thread(_read, variable, prefix + name) for variable, name in wanted.items())
    )
    return dict(zip(wanted, values, strict=True))


def _read(variable: str, name: str) -> str:
    try:
        answer = client("secretsmanager").get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise _failed(variable, name, _WHY.get(code, code)) from None
    except BotoCoreError as error:
        raise _failed(
            variable, name, f"Secrets Manager does not answer ({type(error).__name__})"
        ) from None
    if "SecretString" not in answer:
        raise _failed(variable, name, "it is binary, and a variable is text")
    value: str = answer["SecretString"]
    if "\0" in value:
        raise _failed(variable, name, "it has a NUL in it, which no variable can have")
    return value


def _not_for_it(variable: str, name: str, error: BadAppSetting) -> AppStartFailed:
    logger.error(
        "no secret", extra={"variable": variable, "secret": name, "why": "it is for another app"}
    )
    return AppStartFailed(_SENTENCE, str(error))


def _failed(variable: str, name: str, why: str) -> AppStartFailed:
    logger.error("no secret", extra={"variable": variable, "secret": name, "why": why})
    told = (
        f"secret {name} (for {variable}): {why}; make it in Secrets Manager, or change the "
        "app's setting secrets"
    )
    return AppStartFailed(_SENTENCE, told)
