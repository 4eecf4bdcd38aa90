"""Errors as the API tells them: ``Status`` objects with upstream's reasons, codes and words.

Source of codes and message texts: k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of a 422: what is wrong with one field.

    Attributes:
        reason: Upstream's cause type: ``FieldValueRequired``, ``FieldValueInvalid``,
            ``FieldValueNotSupported``, ``FieldValueForbidden``, ``FieldValueDuplicate``,
            ``FieldValueTypeInvalid``, ``FieldValueTooLong``, ``FieldValueTooMany``,
            ``FieldValueNotFound``.
        field: Path as upstream writes it: ``spec.containers[0].name``.
        message: Without the path: ``Invalid value: "X": must be ...``.
    """

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class StatusError(Exception):
    """A request that was refused; becomes a ``Status`` object of kind ``Failure``.

    Attributes:
        code: HTTP status code.
        reason: Upstream's machine-readable reason, ``NotFound`` for example.
        message: The sentence a user reads.
        details: ``details`` of the Status object, or None.
        metadata: ``metadata`` of the Status object: with a token to go on with a list, for example.
    """

    __module__ = "orchestrator"  # where users import it from, and what reports show

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata: dict[str, Any] = {}

    def status(self) -> dict[str, Any]:
        """Return the ``Status`` object that goes over the wire."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _details(resource: str, name: str, **more: Any) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    return {**details, **more}


def not_found(resource: str, name: str) -> StatusError:
    """404: ``pods "web" not found``; ``resource`` is ``plural`` or ``plural.group``."""
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def not_served() -> StatusError:
    """404 for a resource that nothing serves, or no longer."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str) -> StatusError:
    """409 for a create whose name is taken."""
    return StatusError(
        409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name)
    )


def conflict(resource: str, name: str, why: str) -> StatusError:
    """409 for an update that lost: ``why`` completes upstream's sentence."""
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource} "{name}": {why}',
        _details(resource, name),
    )


STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)
"""Upstream's words for an update of an old revision; goes into `conflict`."""


def invalid(kind: str, group: str, name: str, causes: Iterable[FieldError]) -> StatusError:
    """422 with every cause at once.

    Args:
        kind: CamelCase kind, as upstream puts it in ``details.kind``.
        group: API group, empty for core.
        name: The object's name, possibly empty.
        causes: At least one.
    """
    found = list(causes)
    texts = list(dict.fromkeys(str(cause) for cause in found))  # upstream says the same thing once
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in found
    ]
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {joined}', details)


def bad_request(message: str) -> StatusError:
    """400: the request itself is malformed."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: no credentials, or wrong ones."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, name: str, why: str) -> StatusError:
    """403: ``pods "web" is forbidden: why``."""
    return StatusError(
        403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', _details(resource, name)
    )


def method_not_supported(resource: str, action: str) -> StatusError:
    """405: the resource exists, the verb does not apply to it."""
    return StatusError(
        405,
        "MethodNotAllowed",
        f"{action} is not supported on resources of kind {resource!r}".replace("'", '"'),
        _details(resource, ""),
    )


def not_acceptable(message: str) -> StatusError:
    """406: no encoding that the client accepts."""
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(message: str) -> StatusError:
    """415: a body in an encoding the server does not read."""
    return StatusError(415, "UnsupportedMediaType", message)


def too_large(message: str) -> StatusError:
    """413: the body is over the limit."""
    return StatusError(413, "RequestEntityTooLarge", message)


def expired(message: str, *, continue_: str = "") -> StatusError:
    """410: the asked resourceVersion or continue token lies before the compacted window.

    Args:
        message: What the user reads.
        continue_: A token with which the list can be gone on with all the same.
    """
    error = StatusError(410, "Expired", message)
    if continue_:
        error.metadata = {"continue": continue_}
    return error


def resource_version_too_large(asked: int, current: int) -> StatusError:
    """504: the asked resourceVersion lies in the future."""
    return StatusError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        {
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        },
    )


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    """429 with the seconds after which to try again."""
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def internal_error(message: str) -> StatusError:
    """500: a fault of the server's own."""
    return StatusError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )


def service_unavailable(message: str) -> StatusError:
    """503: try again later."""
    return StatusError(503, "ServiceUnavailable", message)
