"""ServiceAccount tokens of a pod's volumes, renewed before they end.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection
"""

from __future__ import annotations

import uuid
from typing import NamedTuple

from orchestrator.access import AccountTokens
from orchestrator.node.volumes.files import Sources, VolumeError
from orchestrator.resources.objects import Object, namespace_of, spec_of

_RENEW_AT = 0.8
"""Part of a token's life after which the kubelet asks for the next one."""
_LONGEST = 24 * 3600.0
"""Seconds after which it does so in any case."""


class _Held(NamedTuple):
    token: str
    renew_at: float


class PodTokens:
    """The tokens of one pod."""

    def __init__(self, issuer: AccountTokens, sources: Sources) -> None:
        self._issuer = issuer
        self._sources = sources
        self._held: dict[tuple[str, int], _Held] = {}

    @property
    def renew_at(self) -> float | None:
        """When the first of them has to be renewed, seconds since the epoch."""
        return min((held.renew_at for held in self._held.values()), default=None)

    def token(self, pod: Object, source: Object, now: float) -> str:
        """Return a token for a source ``serviceAccountToken`` that is good for a while.

        Raises:
            VolumeError: The pod's ServiceAccount is not there.
        """
        namespace = namespace_of(pod)
        seconds = int(source.get("expirationSeconds") or 3600)
        audience = source.get("audience") or ""
        held = self._held.get((audience, seconds))
        if held is not None and now < held.renew_at:
            return held.token
        name = spec_of(pod).get("serviceAccountName") or "default"
        account = self._sources.get("serviceaccounts", namespace, name)
        if account is None:
            raise VolumeError(f'failed to fetch token: serviceaccounts "{name}" not found')
        issued = self._issuer.issue(
            account,
            str(uuid.uuid4()),
            audiences=[audience] if audience else (),
            seconds=seconds,
            bound={"kind": "Pod", **pod},
        )
        renew_at = now + min(_RENEW_AT * seconds, _LONGEST)
        self._held[audience, seconds] = _Held(issued.token, renew_at)
        return issued.token
