"""Parameters: the objects that a binding hands to its policy."""

from __future__ import annotations

from typing import Any

from orchestrator.policies.matching import Reading
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, labels_of
from orchestrator.resources.selectors import SelectorError, label_selector


class ConfigurationError(Exception):
    """A policy or binding that can't be used as it is; the text is upstream's."""


async def params_of(
    param_kind: dict[str, Any] | None,
    param_ref: dict[str, Any] | None,
    namespace: str,
    store: Reading,
) -> list[Object | None]:
    """Return the objects with which a policy is evaluated, one after another.

    Args:
        param_kind: The policy's.
        param_ref: The binding's.
        namespace: Of the request's object; empty for cluster-scoped ones.
        store: Has them.

    Raises:
        ConfigurationError: They can't be found, and that is not to be passed over.
    """
    if not param_kind or not param_ref:
        return [None]
    api_version, name = param_kind.get("apiVersion", ""), param_kind.get("kind", "")
    kind = store.registry.by_kind(api_version, name)
    if kind is None:
        raise ConfigurationError(f"paramKind kind `{api_version}, Kind={name}` not known")
    given = param_ref.get("namespace") or ""
    if not kind.namespaced:
        if given:
            raise ConfigurationError(
                "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
            )
        where = ""
    else:
        where = given or namespace
        if not where:
            raise ConfigurationError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped "
                "resources"
            )
    found = _found(kind.resource, where, param_ref, store)
    if not found and param_ref.get("parameterNotFoundAction") == "Deny":
        raise ConfigurationError(
            "no params found for policy binding with `Deny` parameterNotFoundAction"
        )
    try:
        return [await store.conversion.one(obj, kind) for obj in found]
    except StatusError as error:
        raise ConfigurationError(error.message) from error


def _found(
    resource: str, namespace: str, param_ref: dict[str, Any], store: Reading
) -> list[Object]:
    if param_ref.get("name"):
        obj = store.get(resource, namespace, param_ref["name"])
        return [] if obj is None else [obj]
    try:
        selector = label_selector(param_ref.get("selector") or {})
    except SelectorError as error:
        raise ConfigurationError(str(error)) from error
    return [
        obj
        for obj in store.list(resource)
        if (obj["metadata"].get("namespace") or "") == namespace
        and selector.matches(labels_of(obj))
    ]
