"""Revisions: which ReplicaSet is the new one, what it is called, which annotations it carries.

Rules: k8s.io/kubernetes/pkg/controller/deployment/util/deployment_util.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

from orchestrator.controllers._owners import controller_reference
from orchestrator.resources.objects import Object, annotations_of, meta

REVISION: Final = "deployment.kubernetes.io/revision"
REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAX: Final = "deployment.kubernetes.io/max-replicas"
HASH_LABEL: Final = "pod-template-hash"

_NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED,
        MAX,
    }
)
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no lookalikes: a generated name spells no word. Upstream's alphabet."""

_HISTORY_LIMIT: Final = 2000
"""Characters of revision history kept on a ReplicaSet; upstream's maxRevHistoryLengthInChars."""


def template_hash(template: Object, collisions: int = 0) -> str:
    """Return a stable hash of a pod template, fit for a label and a name.

    Upstream hashes a dump of Go structures, which nothing else can reproduce; this is FNV-1a (32
    bits) over the template's JSON with sorted keys, written in upstream's alphabet.

    Args:
        template: The Deployment's ``spec.template``.
        collisions: ``status.collisionCount``, which makes the hash another one.
    """
    value = 0x811C9DC5
    data = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    if collisions:
        data += str(collisions).encode()
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(value))


def without_hash(template: Object) -> Object:
    """Return a template as its Deployment wrote it: without the hash label."""
    labels = meta(template).get("labels") or {}
    if HASH_LABEL not in labels:
        return template
    rest = {key: value for key, value in labels.items() if key != HASH_LABEL}
    return {**template, "metadata": {**template["metadata"], "labels": rest}}


def same_template(first: Object, second: Object) -> bool:
    """Tell whether two templates make the same pods, the hash label aside."""
    return _comparable(first) == _comparable(second)


def _comparable(template: Object) -> Object:
    """Return a form in which absent and empty metadata are equal."""
    bare = without_hash(template)
    return {
        **bare,
        "metadata": {
            field: value for field, value in meta(bare).items() if value not in (None, {}, [])
        },
    }


def by_age(replica_sets: Iterable[Object]) -> list[Object]:
    """Return ReplicaSets from the oldest to the newest, by name where the second is the same."""
    return sorted(
        replica_sets,
        key=lambda rs: (rs["metadata"].get("creationTimestamp") or "", rs["metadata"]["name"]),
    )


def find_new(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """Return the ReplicaSet that has the Deployment's template: the oldest, if there are two."""
    template = deployment["spec"]["template"]
    return next(
        (rs for rs in by_age(replica_sets) if same_template(rs["spec"]["template"], template)),
        None,
    )


def revision_of(obj: Object) -> int:
    """Return the revision annotation as a number, 0 where there is none that can be read."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def new_replica_set(deployment: Object, name: str, pod_hash: str) -> Object:
    """Return the ReplicaSet for the Deployment's present template, with no replicas yet."""
    spec = deployment["spec"]
    template = spec["template"]
    labels = {**(meta(template).get("labels") or {}), HASH_LABEL: pod_hash}
    selector = spec["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            **({"minReadySeconds": seconds} if (seconds := spec.get("minReadySeconds")) else {}),
            "selector": {
                **selector,
                "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: pod_hash},
            },
            "template": {**template, "metadata": {**meta(template), "labels": labels}},
        },
    }


def revision_annotations(deployment: Object, replica_set: Object, revision: int) -> dict[str, str]:
    """Return the annotations a new ReplicaSet should have.

    The Deployment's own annotations are copied. A revision that was already given is moved to the
    history when the ReplicaSet becomes the newest again, which is what a rollback does.
    """
    present = annotations_of(replica_set)
    wanted = dict(present)
    given = annotations_of(deployment).items()
    wanted.update({key: value for key, value in given if key not in _NOT_COPIED})
    before = revision_of(replica_set)
    if before < revision:
        wanted[REVISION] = str(revision)
        if before:
            wanted[REVISION_HISTORY] = _with_history(present.get(REVISION_HISTORY, ""), before)
    return wanted


def restored_annotations(deployment: Object, replica_set: Object) -> dict[str, str]:
    """Return a Deployment's annotations after a rollback: its own bookkeeping, else the old ones.

    ``kubectl rollout history`` reads the cause of a change from them.
    """
    kept = {
        name: value for name, value in annotations_of(deployment).items() if name in _NOT_COPIED
    }
    old = annotations_of(replica_set).items()
    return {**kept, **{name: value for name, value in old if name not in _NOT_COPIED}}


def _with_history(history: str, revision: int) -> str:
    text = f"{history},{revision}" if history else str(revision)
    while len(text) > _HISTORY_LIMIT and "," in text:
        text = text.partition(",")[2]
    return text


def with_size_annotations(annotations: dict[str, str], desired: int, most: int) -> dict[str, str]:
    """Return annotations with the Deployment's size as of the last scaling."""
    return {**annotations, DESIRED: str(desired), MAX: str(most)}
