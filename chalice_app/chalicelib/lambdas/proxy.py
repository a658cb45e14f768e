"""Chalice for an API that passes on any content type and any body, whatever ``Accept`` says."""

import base64
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, Response, RestAPIEventHandler

from chalicelib.lambdas.keep_active import is_no_op
from chalicelib.visits.answer import Answer
from chalicelib.visits.request import VisitorRequest

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
"""All the methods that API Gateway knows. Chalice needs them by name (FACTS C1)."""

ANYTHING = ["*/*"]


class _Handler(RestAPIEventHandler):
    """Chalice's handler without its check of binary answers.

    Chalice refuses a binary answer to a request that does not accept one, even if the request has
    no ``Accept`` header and so accepts everything (FACTS C3).
    """

    def _validate_binary_response(self, request_headers: Any, response_headers: Any) -> bool:
        return True


class ProxyResponse(Response):
    """An answer that API Gateway passes on byte by byte. A header may occur more than once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body, status_code=answer.status)
        self._answer = answer

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        """Return the answer in the form that API Gateway takes."""
        headers: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for name, value in self._answer.headers:
            # A newline would end the header, and R may have put one there.
            headers.setdefault(names.setdefault(name.lower(), name), []).append(
                value.replace("\r", "").replace("\n", " ")
            )
        return {
            "statusCode": self._answer.status,
            "headers": {},
            "multiValueHeaders": headers,
            "body": base64.b64encode(self._answer.body).decode("ascii"),
            "isBase64Encoded": True,
        }


class ProxyChalice(Chalice):
    """A Chalice app whose views get a whole request and return an :class:`Answer`."""

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Answer one proxy event; answer nothing to an event that keeps the function active."""
        if is_no_op(event):
            return {}
        self.lambda_context = context
        handler = _Handler(
            self.routes,
            self.api,
            self.log,
            self.debug,
            middleware_handlers=self._get_middleware_handlers("http"),
        )
        self.current_request = handler.create_request_object(event, context)
        answer: dict[str, Any] = handler(event, context)
        return answer

    def pass_on(self, answer: Callable[[VisitorRequest], Answer]) -> ProxyResponse:
        """Answer the current request."""
        request = self.current_request
        assert request is not None
        return ProxyResponse(answer(VisitorRequest.from_event(request.to_original_event())))
