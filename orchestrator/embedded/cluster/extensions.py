"""What extends a cluster's API: kinds of one's own, and webhooks that the test itself serves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.embedded.cluster.objects import ClusterObjects
from orchestrator.embedded.errors import ApplyError
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.api.certificates import Certificates
    from orchestrator.embedded.kinds.definitions import Model
    from orchestrator.embedded.kinds.manifests import Source
    from orchestrator.embedded.webhooks.hooking import Hooks
    from orchestrator.embedded.webhooks.server import Converter, Handler, Webhook


class ClusterExtensions(ClusterObjects):
    """Defines kinds, and has functions asked about objects."""

    async def install_crd(
        self,
        model: Model | Source,
        *,
        group: str = "",
        version: str = "v1",
        kind: str | None = None,
        plural: str | None = None,
        scope: Literal["Namespaced", "Cluster"] = "Namespaced",
        status: Model | None = None,
        short_names: Sequence[str] = (),
    ) -> Object:
        """Define a kind, and wait until it is served: then `api` knows it by its name.

        Args:
            model: A pydantic model's class, or what else has a JSON Schema: of the whole object, if
                it has a field ``spec``; else of its spec. Or a definition, as `apply` takes it.
            group: API group, ``example.com``.
            version: The one version.
            kind: Name of the kind; the model's own unless given.
            plural: Name in paths; made of the kind unless given.
            scope: Whether objects are in namespaces.
            status: Model of the status, if the first has none; it takes anything unless given.
            short_names: Further names for kubectl.

        Returns:
            The last definition installed.

        Raises:
            ApplyError: There is no schema, no group, or no definition in what was given.
            StatusError: The API refuses the definition.
        """
        from orchestrator.embedded.kinds.definitions import definition_of, is_model

        source = model
        if kind is not None and not group:
            raise ApplyError(f"the kind {kind} has no API group: give group='example.com'")
        if group or is_model(model):
            source = definition_of(
                model,
                group=group,
                version=version,
                kind=kind,
                plural=plural,
                scope=scope,
                status=status,
                short_names=short_names,
            )
        applied = await self.apply(source)
        found = [obj for obj in applied if obj["kind"] == "CustomResourceDefinition"]
        if not found:
            raise ApplyError("there is no CustomResourceDefinition in what was given")
        return found[-1]

    async def install_kopf_peering(self) -> None:
        """Define kopf's peerings, and make one for operators everywhere and in ``default``."""
        from orchestrator.embedded.kinds.definitions import kopf_peerings

        await self.apply(kopf_peerings())

    @contextlib.asynccontextmanager
    async def webhook(
        self,
        handler: Handler,
        resources: str | Sequence[str],
        *,
        mutating: bool = False,
        operations: Sequence[str] = ("CREATE", "UPDATE"),
        name: str | None = None,
        timeout: int = 10,
        **options: Any,
    ) -> AsyncIterator[Webhook]:
        """Have a function asked about objects before they are stored, for a block.

        It is served over HTTPS on a loopback port, and called as any admission webhook is. The
        block gets the `Webhook`, which remembers what it was asked.

        Args:
            handler: Gets the ``request`` of each AdmissionReview. None or True lets pass, False or
                a text refuses, a list is a JSON patch, an object is what the new one is to be. It
                runs in a thread, unless it is a coroutine function.
            resources: Which kinds, by any of their names; ``pods/exec``; ``*`` for all.
            mutating: Whether it may change objects.
            operations: ``CREATE``, ``UPDATE``, ``DELETE``, ``CONNECT``, ``*``.
            name: Of the configuration.
            timeout: Real seconds that it has to answer.
            **options: Further fields of the webhook: ``failurePolicy="Ignore"``,
                ``objectSelector={...}``, ``matchConditions=[...]``.
        """
        self._presence.require_here()
        async with self._hooks.admission(
            handler,
            resources,
            mutating=mutating,
            operations=operations,
            name=name,
            timeout=timeout,
            options=options,
        ) as webhook:
            yield webhook

    @contextlib.asynccontextmanager
    async def conversion_webhook(self, kind: str, convert: Converter) -> AsyncIterator[Webhook]:
        """Have a function convert custom objects between their versions, for a block.

        Args:
            kind: Whose objects; one with several versions.
            convert: Gets an object and the version wanted, ``example.com/v2``; returns it so.
        """
        self._presence.require_here()
        async with self._hooks.conversion(kind, convert) as webhook:
            yield webhook

    def tls_files(self) -> Certificates:
        """Return certificate, key and CA for a server of the test's own on the loopback address.

        For ``kopf.WebhookServer``: ``cafile=files.ca_file, certfile=files.certificate_file,
        pkeyfile=files.key_file``.
        """
        self._presence.require()
        return self._hooks.server.certificates()

    @cached_property
    def _hooks(self) -> Hooks:
        from orchestrator.embedded.webhooks.hooking import Hooks
        from orchestrator.embedded.webhooks.server import WebhookServer

        server = WebhookServer(self.core.directory / "webhooks")
        self._exits.push_async_callback(server.stop)
        return Hooks(server, self.api, lambda: self.store.registry)
