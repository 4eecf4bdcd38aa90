"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.embedded.sync.streams import as_is, entered
from orchestrator.embedded.sync.twins.objects import SyncObjects

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence
    from typing import Any, Literal

    from orchestrator.api.certificates import Certificates
    from orchestrator.embedded.cluster.extensions import ClusterExtensions
    from orchestrator.embedded.kinds.definitions import Model
    from orchestrator.embedded.kinds.manifests import Source
    from orchestrator.embedded.webhooks.server import Converter, Handler, Webhook
    from orchestrator.resources.objects import Object


class SyncExtensions(SyncObjects):
    """The synchronous twin of `ClusterExtensions`: the same methods, without ``await``."""

    _async: ClusterExtensions

    def install_crd(
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
        return self._portal.call(
            self._async.install_crd,
            model,
            group=group,
            version=version,
            kind=kind,
            plural=plural,
            scope=scope,
            status=status,
            short_names=short_names,
        )

    def install_kopf_peering(self) -> None:
        """Define kopf's peerings, and make one for operators everywhere and in ``default``."""
        self._portal.call(self._async.install_kopf_peering)

    def webhook(
        self,
        handler: Handler,
        resources: str | Sequence[str],
        *,
        mutating: bool = False,
        operations: Sequence[str] = ("CREATE", "UPDATE"),
        name: str | None = None,
        timeout: int = 10,
        **options: Any,
    ) -> contextlib.AbstractContextManager[Webhook]:
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
        return entered(
            self._portal,
            self._async.webhook(
                handler,
                resources,
                mutating=mutating,
                operations=operations,
                name=name,
                timeout=timeout,
                **options,
            ),
            as_is,
        )

    def conversion_webhook(
        self, kind: str, convert: Converter
    ) -> contextlib.AbstractContextManager[Webhook]:
        """Have a function convert custom objects between their versions, for a block.

        Args:
            kind: Whose objects; one with several versions.
            convert: Gets an object and the version wanted, ``example.com/v2``; returns it so.
        """
        return entered(self._portal, self._async.conversion_webhook(kind, convert), as_is)

    def tls_files(self) -> Certificates:
        """Return certificate, key and CA for a server of the test's own on the loopback address.

        For ``kopf.WebhookServer``: ``cafile=files.ca_file, certfile=files.certificate_file,
        pkeyfile=files.key_file``.
        """
        return self._portal.run(self._async.tls_files)
