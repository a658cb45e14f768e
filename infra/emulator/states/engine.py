"""Correct moto's Step Functions engine where it differs from the real one (FACTS M2).

This module runs in moto's process. The differences were found by running state machines:

* The engine's calls go to moto itself, with keys of its own.
* Parameters of ``aws-sdk`` integrations, which AWS takes in PascalCase, are dropped if the API uses
  camelCase.
* A state with a heartbeat and no timeout times out after 60 seconds.
* An outcome or a heartbeat that comes before the engine waits for it is lost.
* A retried state has its first token again.
* A used token is accepted again.
* The threads of a stopped execution wait on.
* Everything that has ended is kept forever.
"""

import logging
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from moto.core.config import default_user_config
from moto.stepfunctions.parser import utils as parser_utils
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (  # noqa: E501
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from infra.emulator.states.task_tokens import adapt_tokens, replace, waiting_in

FINISHED_EXECUTIONS_KEPT = 500
"""Limit for each state machine; AWS keeps executions for 90 days."""


class _Clients:
    """Replaces the ``boto3`` from which the engine makes clients.

    It has one client per service and role, with that role's keys.
    """

    def __init__(self, endpoint: str, keys: Mapping[str, Sequence[str]]) -> None:
        self._sessions = {
            arn: boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret)
            for arn, (key_id, secret) in keys.items()
        }
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()
        self.acting = threading.local()
        """``role`` is the role with which this thread calls.

        It is set where a state determines its credentials, right before it makes its client.
        """

    def client(self, *, service_name: str, region_name: str, config: Any, **_: Any) -> Any:
        role: str = self.acting.role
        with self._lock:
            known = self._clients.get((role, service_name, region_name))
            if known is None:
                if role not in self._sessions:
                    raise ValueError(f"no state machine is declared that has the role {role}")
                known = self._sessions[role].client(
                    service_name,
                    region_name=region_name,
                    endpoint_url=self._endpoint,
                    config=config,
                )
                self._clients[role, service_name, region_name] = known
            return known


def adapt(endpoint: str, keys: Mapping[str, Sequence[str]]) -> None:
    """Turn the engine on; call this once per process.

    The engine calls ``endpoint`` with each role's keys (id, secret), by the role's ARN.
    """
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    for noisy in ("moto.stepfunctions.parser", "botocore"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    clients = _Clients(endpoint, keys)
    replace(boto_client, "boto3", clients)
    _calls_have_roles(clients)
    _no_default_timeout()
    _pascal_case_parameters()
    adapt_tokens()
    _silence_is_a_heartbeat_timeout()
    _stop_wakes_what_waits()
    _forget_what_has_ended()


def _calls_have_roles(clients: _Clients) -> None:
    original = StateTask._eval_state_credentials

    def eval_state_credentials(self: Any, env: Any) -> Any:
        credentials = original(self, env)
        clients.acting.role = credentials.role_arn
        return credentials

    replace(StateTask, "_eval_state_credentials", eval_state_credentials)


def _no_default_timeout() -> None:
    original = ExecutionState.from_state_props

    def from_state_props(self: Any, state_props: Any) -> None:
        original(self, state_props)
        if isinstance(self.timeout, TimeoutSeconds) and self.timeout.is_default:
            self.timeout = TimeoutSeconds(timeout_seconds=TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS)

    replace(ExecutionState, "from_state_props", from_state_props)


def _pascal_case_parameters() -> None:
    def operation(self: Any) -> Any:
        # The role does not matter here.
        client = boto_client.boto_client_for(
            service=self._get_boto_service_name(), region="us-east-1"
        )
        name = client.meta.method_to_api_mapping[self._get_boto_service_action()]
        return client.meta.service_model.operation_model(name)

    def normalise_parameters(self: Any, parameters: dict[str, Any], *_: Any, **__: Any) -> None:
        self._to_boto_request(parameters, operation(self).input_shape)

    def normalise_response(self: Any, response: Any, *_: Any, **__: Any) -> None:
        _times_as_text(response)
        if (shape := operation(self).output_shape) is not None:
            self._from_boto_response(response, shape)

    replace(StateTaskServiceAwsSdk, "_normalise_parameters", normalise_parameters)
    replace(StateTaskServiceAwsSdk, "_normalise_response", normalise_response)


def _times_as_text(document: Any) -> None:
    """Replace the times in a response, because the history and output are JSON."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for place, value in list(entries):
        if isinstance(value, datetime):
            document[place] = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        elif isinstance(value, dict | list):
            _times_as_text(value)


def _silence_is_a_heartbeat_timeout() -> None:
    """Report a missed heartbeat as States.HeartbeatTimeout; moto reports States.Timeout.

    Catchers and retriers of States.Timeout still match, because it is the older name of both.
    """
    original_error = StateTask._from_error
    original_matches = ErrorEqualsDecl._eval_body
    timeout = StatesErrorName(typ=StatesErrorNameType.StatesTimeout)
    silence = StatesErrorName(typ=StatesErrorNameType.StatesHeartbeatTimeout)

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        failure: Any = original_error(self, env=env, ex=ex)
        if isinstance(ex, HeartbeatTimeoutError):
            failure.error_name = silence
            for details in failure.event_details.values():
                details["error"] = silence.error_name
        return failure

    def matches(self: Any, env: Any) -> None:
        error_name = env.stack[-1]
        original_matches(self, env)
        if error_name == silence and not env.stack[-1]:
            env.stack[-1] = timeout in self.error_names

    replace(StateTask, "_from_error", from_error)
    replace(ErrorEqualsDecl, "_eval_body", matches)


def _stop_wakes_what_waits() -> None:
    original = ExecutionWorker.stop

    def stop(self: Any, *args: Any, **kwargs: Any) -> None:
        while self.env is None:  # its thread has only just been started
            time.sleep(0.005)
        original(self, *args, **kwargs)
        for endpoint in list(waiting_in(self.env).values()):
            endpoint.interrupt_all()

    replace(ExecutionWorker, "stop", stop)


def _forget_what_has_ended() -> None:
    class NoThreads(list[Any]):
        """A list that stays empty.

        The engine records every thread that it starts, but never reads the list.
        """

        def append(self, _thread: Any) -> None:
            return

    nothing = NoThreads()
    parser_utils.TMP_THREADS = nothing
    for module in _modules_with_threads():
        module.TMP_THREADS = nothing

    original = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, state_machine_arn: str, *args: Any, **kwargs: Any) -> Any:
        executions = self.describe_state_machine(state_machine_arn).executions
        if len(executions) > FINISHED_EXECUTIONS_KEPT:
            finished = [execution for execution in executions if execution.status != "RUNNING"]
            for execution in finished[: len(executions) - FINISHED_EXECUTIONS_KEPT]:
                executions.remove(execution)
        return original(self, state_machine_arn, *args, **kwargs)

    replace(StepFunctionsParserBackend, "start_execution", start_execution)


def _modules_with_threads() -> list[Any]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("moto.stepfunctions") and hasattr(module, "TMP_THREADS")
    ]
