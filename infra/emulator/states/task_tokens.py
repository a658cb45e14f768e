"""Task tokens in moto's Step Functions engine, like those of the real one (FACTS E6a).

This module runs in moto's process; see engine.py.
"""

import threading
from collections import OrderedDict
from typing import Any

from moto.core.responses import EmptyResult
from moto.stepfunctions.exceptions import InvalidToken
from moto.stepfunctions.parser import api
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (  # noqa: E501
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.eval.callback import callback
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from infra.emulator.states.tokens import token_of

USED_TOKENS_REMEMBERED = 10_000

gone: Any = api.TaskTimedOut


def replace(owner: Any, name: str, better: Any) -> None:
    """Replace moto's own ``name`` of ``owner`` by ``better``."""
    setattr(owner, name, better)


class TaskTokens:
    """The task tokens that are waited for, and those that have been."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, callback.CallbackEndpoint] = {}
        self._used: OrderedDict[str, None] = OrderedDict()

    def opened(self, token: str, endpoint: callback.CallbackEndpoint) -> None:
        with self._lock:
            self._waiting[token] = endpoint

    def closed(self, token: str) -> None:
        with self._lock:
            self._waiting.pop(token, None)
            self._used[token] = None
            while len(self._used) > USED_TOKENS_REMEMBERED:
                self._used.popitem(last=False)

    def find(self, token: str) -> callback.CallbackEndpoint:
        """Return where ``token`` is waited for; otherwise raise Step Functions' error."""
        with self._lock:
            endpoint = self._waiting.get(token)
            if endpoint is not None:
                return endpoint
            if token in self._used:
                raise gone("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
        raise InvalidToken

    def answer(self, token: str, outcome: callback.CallbackOutcome) -> None:
        """Give a waiting task its outcome; only the first one counts."""
        endpoint = self.find(token)
        with self._lock:
            if endpoint.get_outcome() is not None:
                raise gone("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
            endpoint.notify(outcome)


def adapt_tokens() -> None:
    """Give each attempt of a state a token of its own.

    It counts once, and until the state is left.
    """
    tokens = TaskTokens()
    original_setup = callback.CallbackEndpoint.setup_heartbeat_endpoint
    original_attempt = StateTaskServiceCallback._eval_execution
    original_ended = Environment.set_ended

    def setup_heartbeat_endpoint(self: Any, heartbeat_seconds: int) -> Any:
        heartbeat: Any = original_setup(self, heartbeat_seconds)
        if self.get_outcome() is not None:
            heartbeat.notify()  # the outcome came before the engine waited for it
        return heartbeat

    def state(self: Any, env: Any) -> None:
        """Run the state without a token of its own; each attempt has one."""
        super(StateTaskServiceCallback, self)._eval_body(env=env)
        env.states.context_object.context_object_data.pop("Task", None)

    def attempt(self: Any, env: Any) -> None:
        if not self._is_integration_pattern():
            original_attempt(self, env)
            return
        self._assert_integration_pattern_is_supported()
        context = env.states.context_object.context_object_data
        token = token_of(
            context["StateMachine"]["Name"], env.states.context_object.update_task_token()
        )
        context["Task"] = {"Token": token}
        tokens.opened(token, env.callback_pool_manager.add(token))
        env.answered_token = token
        try:
            original_attempt(self, env)
        finally:
            close(env, token)

    def set_ended(self: Any) -> None:
        """Close the token when the state is left, also after a timeout."""
        original_ended(self)
        if (token := getattr(self, "answered_token", None)) is not None:
            close(self, token)

    def close(env: Any, token: str) -> None:
        tokens.closed(token)
        endpoint = waiting_in(env).pop(token, None)
        if endpoint is not None:
            endpoint.interrupt_all()

    def send_task_heartbeat(self: Any, task_token: str) -> None:
        tokens.find(task_token).notify_heartbeat()

    def send_task_success(self: Any, task_token: str, outcome: str) -> None:
        tokens.answer(task_token, callback.CallbackOutcomeSuccess(task_token, outcome))

    def send_task_failure(
        self: Any, task_token: str, error: str | None = None, cause: str | None = None
    ) -> Any:
        tokens.answer(task_token, callback.CallbackOutcomeFailure(task_token, error, cause))
        return api.SendTaskFailureOutput()

    replace(callback.CallbackEndpoint, "setup_heartbeat_endpoint", setup_heartbeat_endpoint)
    replace(StateTaskServiceCallback, "_eval_body", state)
    replace(StateTaskServiceCallback, "_eval_execution", attempt)
    replace(Environment, "set_ended", set_ended)
    replace(StepFunctionsParserBackend, "send_task_heartbeat", send_task_heartbeat)
    replace(StepFunctionsParserBackend, "send_task_success", send_task_success)
    replace(StepFunctionsParserBackend, "send_task_failure", send_task_failure)
    replace(StepFunctionResponse, "send_task_failure", respond_to_failure)


def respond_to_failure(self: Any) -> Any:
    """Answer SendTaskFailure with the cause, which moto's own version forgets."""
    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def waiting_in(env: Any) -> dict[str, Any]:
    """Return the endpoints at which an execution waits, by token."""
    pool: dict[str, Any] = env.callback_pool_manager._pool
    return pool
