"""What a faulty API answers: for each code and reason the words that clients get from a real one.

Source of reasons, codes and texts: k8s.io/apimachinery/pkg/api/errors. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from orchestrator.api.faults.rules import ApiRequest
from orchestrator.resources.errors import (
    STALE,
    FieldError,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    expired,
    internal_error,
    invalid,
    method_not_supported,
    not_found,
    not_served,
    service_unavailable,
    too_large,
    too_many_requests,
    unauthorized,
    unsupported_media_type,
)
from orchestrator.resources.rbac import Attributes, forbidden_access

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "apply": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_INJECTED: Final = "a fault was injected"

Make = Callable[[ApiRequest], StatusError]


def _qualified(request: ApiRequest) -> str:
    return f"{request.resource}.{request.group}" if request.group else request.resource


def _conflict(request: ApiRequest) -> StatusError:
    return conflict(_qualified(request), request.name, STALE)


def _exists(request: ApiRequest) -> StatusError:
    return already_exists(_qualified(request), request.name)


def _conflict_of(request: ApiRequest) -> StatusError:
    """409 is another thing for what is created than for what is changed."""
    plain = request.verb == "create" and not request.subresource
    return _exists(request) if plain else _conflict(request)


def _missing(request: ApiRequest) -> StatusError:
    if not request.name:
        return not_served()
    return not_found(_qualified(request), request.name)


def _forbidden(request: ApiRequest) -> StatusError:
    verb = "patch" if request.verb == "apply" else request.verb
    asked = Attributes(
        verb,
        request.group,
        request.resource,
        request.subresource,
        request.namespace,
        request.name,
        request.path,
    )
    return forbidden_access(request.user or "system:anonymous", asked)


def _not_allowed(request: ApiRequest) -> StatusError:
    return method_not_supported(_qualified(request), request.verb)


def _invalid(request: ApiRequest) -> StatusError:
    kind = (request.body or {}).get("kind") or request.resource
    cause = FieldError("FieldValueInvalid", "metadata", f"Invalid value: {_INJECTED}")
    return invalid(kind, request.group, request.name, [cause])


def _many(request: ApiRequest) -> StatusError:
    if request.subresource == "eviction":
        message = "Cannot evict pod as it would violate the pod's disruption budget."
        return StatusError(
            429,
            "TooManyRequests",
            message,
            {"causes": [{"reason": "DisruptionBudget", "message": _INJECTED}]},
        )
    return too_many_requests("Too many requests, please try again later.", 1)


def _server_timeout(request: ApiRequest) -> StatusError:
    method = _METHODS.get(request.verb, request.verb.upper())
    text = (
        f"The {method} operation against {_qualified(request)} could not be completed at this "
        "time, please try again."
    )
    return StatusError(
        500, "ServerTimeout", text, {"kind": request.resource, "retryAfterSeconds": 1}
    )


def timeout(_: ApiRequest) -> StatusError:
    """504, as for a request that took longer than ``--request-timeout``."""
    return StatusError(
        504,
        "Timeout",
        "Timeout: request did not complete within the allotted timeout",
        {"retryAfterSeconds": 1},
    )


_BY_CODE: Final[dict[int, Make]] = {
    400: lambda _: bad_request(_INJECTED),
    401: lambda _: unauthorized(),
    403: _forbidden,
    404: _missing,
    405: _not_allowed,
    409: _conflict_of,
    410: lambda _: expired("The resourceVersion for the provided watch is too old."),
    413: lambda _: too_large("Request entity too large: limit is 3145728"),
    415: lambda _: unsupported_media_type(
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    ),
    422: _invalid,
    429: _many,
    500: lambda _: internal_error(_INJECTED),
    503: lambda _: service_unavailable("the server is currently unable to handle the request"),
    504: timeout,
}
_BY_REASON: Final[dict[str, Make]] = {
    "BadRequest": _BY_CODE[400],
    "Unauthorized": _BY_CODE[401],
    "Forbidden": _BY_CODE[403],
    "NotFound": _BY_CODE[404],
    "MethodNotAllowed": _BY_CODE[405],
    "AlreadyExists": _exists,
    "Conflict": _conflict,
    "Expired": _BY_CODE[410],
    "Gone": _BY_CODE[410],
    "RequestEntityTooLarge": _BY_CODE[413],
    "UnsupportedMediaType": _BY_CODE[415],
    "Invalid": _BY_CODE[422],
    "TooManyRequests": _BY_CODE[429],
    "InternalError": _BY_CODE[500],
    "ServerTimeout": _server_timeout,
    "ServiceUnavailable": _BY_CODE[503],
    "Timeout": _BY_CODE[504],
}
REASONS: Final = tuple(_BY_REASON)
"""The reasons that have words of their own."""


def refusal_of(
    error: int | str | StatusError, message: str | None = None, retry_after: int | None = None
) -> Make:
    """Return what makes the answer to a request.

    Args:
        error: An HTTP code from 400 on, one of `REASONS`, or the answer itself.
        message: In place of upstream's.
        retry_after: Seconds, for the ``Retry-After`` header; None for upstream's, 0 for none.

    Raises:
        ValueError: There is no such code or reason.
    """
    make = _maker_of(error)
    if message is None and retry_after is None:
        return make

    def changed(request: ApiRequest) -> StatusError:
        found = make(request)
        details: dict[str, Any] | None = found.details
        if retry_after is not None:
            details = {k: v for k, v in (details or {}).items() if k != "retryAfterSeconds"}
            if retry_after:
                details["retryAfterSeconds"] = retry_after
        return StatusError(
            found.code, found.reason, found.message if message is None else message, details
        )

    return changed


def _maker_of(error: int | str | StatusError) -> Make:
    if isinstance(error, StatusError):
        return lambda _: error
    if isinstance(error, str):
        found = _BY_REASON.get(error)
        if found is None:
            raise ValueError(
                f"error={error!r} is no reason that an API server gives: choose an HTTP code, one "
                f"of {', '.join(REASONS)}, or a way to lose the answer (reset, "
                "timeout-after-write, reset-after-write)"
            )
        return found
    if not 400 <= error <= 599:
        raise ValueError(f"error={error}: an HTTP code that is an error is in 400 to 599")
    found = _BY_CODE.get(error)
    if found is not None:
        return found
    text = f"the server responded with the status code {error} but did not return more information"
    return lambda _: StatusError(error, "", text)
