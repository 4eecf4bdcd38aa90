"""Puts a test's own webhooks into a cluster for a block, and takes them out of it again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator.embedded.arguments import texts_of, whole_of
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.kinds.names import check_subresource, find_kind
from orchestrator.embedded.turns import to_its_end
from orchestrator.embedded.webhooks.server import (
    Converter,
    Handler,
    Webhook,
    WebhookServer,
    admission_answer,
    conversion_answer,
)
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.embedded.client.client import Client
    from orchestrator.resources.kinds import KindRegistry

_GROUP = "admissionregistration.k8s.io"


_OPTIONS: Final = {
    *("admissionReviewVersions", "clientConfig", "failurePolicy", "matchConditions", "matchPolicy"),
    *("namespaceSelector", "objectSelector", "reinvocationPolicy", "rules", "sideEffects"),
}
"""Fields of a webhook in its configuration, beside those that have arguments of their own."""


class Hooks:
    """The webhooks of one cluster that its test serves."""

    def __init__(
        self, server: WebhookServer, client: Client, registry: Callable[[], KindRegistry]
    ) -> None:
        """Made by `Cluster`."""
        self.server = server
        self._client = client
        self._registry = registry
        self._numbers = itertools.count(1)

    @contextlib.asynccontextmanager
    async def admission(
        self,
        handler: Handler,
        resources: str | Sequence[str],
        *,
        mutating: bool,
        operations: Sequence[str],
        name: str | None,
        timeout: int,
        options: Mapping[str, Any],
    ) -> AsyncIterator[Webhook]:
        """Serve an admission webhook for the block; see `Cluster.webhook`."""
        if not callable(handler):
            raise TypeError(f"a webhook's handler is a function of the request, not {handler!r}")
        if unknown := sorted(options.keys() - _OPTIONS):
            raise TypeError(
                f"a webhook has no field {', '.join(unknown)}: choose of "
                f"{', '.join(sorted(_OPTIONS))}"
            )
        names = [resources] if isinstance(resources, str) else texts_of(resources, "resources")
        if not names:
            raise ValueError("a webhook of no resources is never asked: name them, or '*' for all")
        operations = [operations] if isinstance(operations, str) else operations
        whole_of(timeout, "timeout")
        rules = [rule_of(self._registry(), one, operations) for one in names]
        found = Webhook(name or f"hook-{next(self._numbers)}.test.orchestrator")
        path, config = await self.server.add(admission_answer(found, handler))
        kind = f"{'Mutating' if mutating else 'Validating'}WebhookConfiguration"
        described: Object = {
            "name": found.name,
            "clientConfig": config,
            "rules": rules,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": timeout,
            **options,
        }
        begun = False
        try:
            if await self._client.find(kind, found.name) is None:
                begun = True  # from here on it may be there, whatever becomes of the answer
            configuration: Object = {
                "apiVersion": f"{_GROUP}/v1",
                "kind": kind,
                "metadata": {"name": found.name},
                "webhooks": [described],
            }
            await to_its_end(self._client.create(configuration))
            yield found
        finally:
            try:
                there = begun and not self.server.stopped
                if there and await self._client.find(kind, found.name) is not None:
                    await self._client.delete(kind, found.name)
            finally:
                self.server.remove(path)

    @contextlib.asynccontextmanager
    async def conversion(self, kind: str, convert: Converter) -> AsyncIterator[Webhook]:
        """Serve a conversion webhook for the block; see `Cluster.conversion_webhook`."""
        known = find_kind(self._registry(), kind)
        if not known.custom:
            raise ClusterError(f"{kind} is built in: only custom kinds are converted by webhooks")
        found = Webhook(f"{known.plural}.{known.group}")
        path, config = await self.server.add(conversion_answer(found, convert))
        review: Literal["v1"] = "v1"
        webhook = {"clientConfig": config, "conversionReviewVersions": [review]}
        try:
            conversion: Object = {"strategy": "Webhook", "webhook": webhook}
            await to_its_end(self._convert(found.name, conversion))
            yield found
        finally:
            try:
                if not self.server.stopped and await self._client.find("crd", found.name):
                    await self._convert(found.name, {"strategy": "None", "webhook": None})
            finally:
                self.server.remove(path)

    async def _convert(self, definition: str, conversion: Mapping[str, Any]) -> None:
        patch = {"spec": {"conversion": conversion}}
        await self._client.patch("crd", definition, patch, form="merge")


def rule_of(registry: KindRegistry, resource: str, operations: Sequence[str]) -> Object:
    """Return the rule for a resource by any of its names, ``pods/exec``, or ``*`` for all."""
    told = list(operations)
    if resource == "*":
        return {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": told}
    name, _, part = resource.partition("/")
    kind = find_kind(registry, name)
    check_subresource(kind, part)
    return {
        "apiGroups": [kind.group],
        "apiVersions": [kind.version],
        "resources": [f"{kind.plural}/{part}" if part else kind.plural],
        "operations": told,
    }
