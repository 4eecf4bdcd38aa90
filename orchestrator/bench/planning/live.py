"""Reading a running cluster over its API: lists, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx

from orchestrator.bench.failures import UserError
from orchestrator.bench.planning.kubeconfig import Access
from orchestrator.bench.planning.observed import NEEDED, Observed, collect
from orchestrator.bench.progress import Progress

_PATHS: Final = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "Namespace": "/api/v1/namespaces",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "CSINode": "/apis/storage.k8s.io/v1/csinodes",
    "CSIDriver": "/apis/storage.k8s.io/v1/csidrivers",
    "CSIStorageCapacity": "/apis/storage.k8s.io/v1/csistoragecapacities",
    "VolumeAttachment": "/apis/storage.k8s.io/v1/volumeattachments",
    "Service": "/api/v1/services",
    "ReplicationController": "/api/v1/replicationcontrollers",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "StatefulSet": "/apis/apps/v1/statefulsets",
}
_PAGE: Final = 500
_DEADLINE: Final = httpx.Timeout(60.0, connect=10.0)


class _Refused(Exception):  # noqa: N818 - an answer, which the caller may put up with
    """The API answers with an error."""


def read_live(access: Access, progress: Progress) -> Observed:
    """List what scheduling looks at; what this user may not list is noted and left out.

    Raises:
        UserError: The cluster does not answer, or refuses to list nodes or pods.
    """
    items: list[Any] = []
    notes: list[str] = []
    client = httpx.Client(
        base_url=access.server,
        verify=access.tls if access.tls is not None else True,
        headers={**access.headers, "Accept": "application/json"},
        timeout=_DEADLINE,
        proxy=access.proxy,
        trust_env=access.proxy is None,
        follow_redirects=False,
    )
    with client:
        for kind, path in _PATHS.items():
            try:
                items.extend(_list(client, kind, path, access, progress))
            except _Refused as refusal:
                if kind in NEEDED:
                    raise UserError(f"{access.server}: listing {path}: {refusal}") from None
                notes.append(f"{kind} not looked at: {refusal}")
            except httpx.HTTPError as error:
                raise UserError(f"{access.server} does not answer: {error}") from error
    observed = collect(items, access.server)
    observed.notes.extend(notes)
    return observed


def _list(
    client: httpx.Client, kind: str, path: str, access: Access, progress: Progress
) -> Iterator[dict[str, Any]]:
    extensions = {"sni_hostname": access.server_name} if access.server_name else None
    parameters: dict[str, str | int] = {"limit": _PAGE}
    with progress.meter(f"reading {kind} objects", 0) as meter:
        while True:
            answer = client.get(path, params=parameters, extensions=extensions)
            if answer.status_code != httpx.codes.OK:
                raise _Refused(_message(answer))
            try:
                page = answer.json()
                items = page.get("items") or []
                more = (page.get("metadata") or {}).get("continue")
            except (ValueError, AttributeError):
                raise _Refused("the answer is no list") from None
            meter.advance(len(items))
            for item in items:
                yield {**item, "kind": kind}
            if not more:
                return
            parameters["continue"] = more


def _message(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code}: {answer.json()['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
