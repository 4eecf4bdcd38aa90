"""Refusals of patches in upstream's words.

Source of texts and codes: k8s.io/apiserver/pkg/endpoints/handlers (patch), the ``mergepatch``
package of apimachinery, and the managed fields package of apimachinery.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from orchestrator.resources.errors import StatusError, bad_request

_P = ParamSpec("_P")
_R = TypeVar("_R")


class PatchRejectedError(StatusError):
    """422: the patch is well formed and does not fit the object.

    The message is upstream's general one, which is all that a client of upstream gets to see;
    ``why`` says what happened, for logs and tests.
    """

    def __init__(self, why: str) -> None:
        super().__init__(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        )
        self.why = why


def too_many_operations(limit: int, got: int) -> StatusError:
    """413: a JSON patch of more operations than upstream takes."""
    return StatusError(
        413,
        "RequestEntityTooLarge",
        "Request entity is too large: "
        f"The allowed maximum operations in a JSON patch is {limit}, got {got}",
    )


def shallow(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn a nesting deeper than Python's stack into a 400, as upstream refuses deep JSON."""

    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except RecursionError:
            raise bad_request("exceeded max depth") from None

    guarded.__name__ = function.__name__
    guarded.__doc__ = function.__doc__
    return guarded
