"""What a request gives to expressions: values of their variables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from orchestrator.access import Authorizer as Access
from orchestrator.resources import rbac
from orchestrator.resources.cel.functions.authorizing import (
    Attempt,
    Authorizer,
    Decision,
    ResourceCheck,
)
from orchestrator.resources.objects import Object
from orchestrator.resources.users import User
from orchestrator.store.admission import Attributes
from orchestrator.store.admission.requests import admission_request

_ACCOUNT: Final = "system:serviceaccount:"
_WAIT: Final = 10.0
"""Seconds that a thread waits for the loop to decide about access."""


def values_of(
    attributes: Attributes, seen: Attributes, namespace: Object | None, access: Access
) -> dict[str, Any]:
    """Return the values that all expressions about a request see.

    Args:
        attributes: The request.
        seen: The same in the version that a policy wants to see.
        namespace: The object's namespace; None for cluster-scoped objects.
        access: Decides what users may do.
    """
    request = admission_request(seen, seen.kind)
    if seen.kind is not attributes.kind:
        asked = admission_request(attributes, attributes.kind)
        request["requestKind"] = asked["requestKind"]
        request["requestResource"] = asked["requestResource"]
    # Objects are variables of their own; options that nobody gave are not there.
    for name in ("object", "oldObject"):
        del request[name]
    if request["options"] is None:
        del request["options"]
    attempt = Attempt(user=attributes.caller.user)
    authorizer = Authorizer(_decider(access), attempt)
    check = ResourceCheck(
        authorizer.decide,
        attempt._replace(
            group=attributes.kind.group,
            resource=attributes.kind.plural,
            subresource=attributes.subresource,
            namespace=attributes.namespace,
            name=attributes.name,
        ),
    )
    return {
        "object": seen.object,
        "oldObject": seen.old,
        "request": request,
        "namespaceObject": namespace,
        "authorizer": authorizer,
        "authorizer.requestResource": check,
    }


def _decider(access: Access) -> Callable[[Attempt], Decision]:
    loop = asyncio.get_running_loop()

    def decide(attempt: Attempt) -> Decision:
        user, asked = _question(attempt)
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:
            inside = False
        if inside:
            found = access.decide(user, asked)
        else:
            # What decides belongs to the loop: a thread asks it there.
            async def ask() -> Any:
                return access.decide(user, asked)

            found = asyncio.run_coroutine_threadsafe(ask(), loop).result(_WAIT)
        return Decision(found.allowed, found.reason)

    return decide


def _question(attempt: Attempt) -> tuple[User, rbac.Attributes]:
    user = attempt.user
    if isinstance(user, str):
        namespace = user.removeprefix(_ACCOUNT).partition(":")[0]
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        )
        user = User(user, groups=groups)
    asked = rbac.Attributes(
        verb=attempt.verb,
        group=attempt.group,
        resource=attempt.resource,
        subresource=attempt.subresource,
        namespace=attempt.namespace,
        name=attempt.name,
        path=attempt.path,
    )
    return user, asked
