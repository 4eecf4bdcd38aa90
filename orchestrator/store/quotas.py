"""ResourceQuotas: counted and held to, within the sequencer's decisions.

A quota is a rule over all objects of a namespace, so only who decides one write after the other can
hold it. What is used is kept in the quota's own status, changed together with the object that
uses it: it can't lag behind, and a failed commit takes both back. Namespaces without quotas pay for
one look-up. Source of words: k8s.io/apiserver pkg/admission/plugin/resourcequota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.resources.errors import forbidden
from orchestrator.resources.objects import Key, Object, status_of
from orchestrator.resources.quantities import Quantity, parse
from orchestrator.resources.quota_usage import (
    Usage,
    counted_resources,
    counted_status,
    is_about,
    overdue_at,
    unspecified,
    usage_of,
)
from orchestrator.store.identities import named
from orchestrator.store.overlay import Overlay

QUOTAS: Final = "resourcequotas"


class Charge(NamedTuple):
    """What a write does to one quota."""

    key: Key
    before: Object
    after: Object


class QuotaLedger:
    """Knows where there are quotas.

    Attributes:
        spaces: Names of quotas by namespace. A superset: one that is gone may still be listed.
    """

    def __init__(self, overlay: Overlay) -> None:
        """Prepare; `rebuild` takes in the quotas that exist."""
        self.spaces: dict[str, dict[str, None]] = {}
        self._overlay = overlay

    def rebuild(self, quotas: Iterable[Object]) -> None:
        """Forget everything and take in the quotas that are committed."""
        self.spaces = {}
        for quota in quotas:
            self.add(quota["metadata"]["namespace"], quota["metadata"]["name"])

    def add(self, namespace: str, name: str) -> None:
        """Take note of a quota."""
        self.spaces.setdefault(namespace, {})[name] = None

    def charges(self, key: Key, new: Object | None, old: Object | None, now: float) -> list[Charge]:
        """Return what the quotas of a namespace become with a write; nothing is changed yet.

        Args:
            key: Of the object.
            new: As it will be; None when it goes.
            old: As it is; None when it is created.
            now: Seconds since the epoch.

        Raises:
            StatusError: 403 where it would use more than is left.
        """
        if old is not None and new is not None and _uses_the_same(key, new, old):
            return []
        found = []
        for name in self.spaces.get(key.namespace, ()):
            at = Key(QUOTAS, key.namespace, name)
            quota = self._overlay.get(at)
            hard = status_of(quota).get("hard") if quota is not None else None
            if quota is None or not hard or at == key:
                continue
            if key.resource not in counted_resources(hard):
                continue
            if old is not None and now > overdue_at(old):
                # Whether it was counted until now depends on when that was.
                after = self.recounted(at, quota, now, {key: new})
            else:
                after = _charged(quota, hard, key, new, old, now)
            if after is not quota:
                found.append(Charge(at, quota, after))
        return found

    def recounted(
        self,
        at: Key,
        quota: Object,
        now: float,
        instead: Mapping[tuple[str, str, str], Object | None] | None = None,
    ) -> Object:
        """Return a quota with a status made from what is there.

        Args:
            at: Of the quota.
            quota: The quota.
            now: Seconds since the epoch.
            instead: Objects as they are about to be.
        """

        def objects(resource: str) -> Iterable[Object]:
            found = self._overlay.within(resource, at.namespace)
            found |= {key: obj for key, obj in (instead or {}).items() if key[0] == resource}
            return [obj for obj in found.values() if obj is not None]

        status = counted_status(quota, objects, now)
        return quota if status == quota.get("status") else {**quota, "status": status}


def _uses_the_same(key: Key, new: Object, old: Object) -> bool:
    """Tell quickly of most updates that they change nothing that is counted."""
    if new.get("spec") is not old.get("spec"):
        return False
    if key.resource == "pods":
        after, before = new["metadata"], old["metadata"]
        return status_of(new).get("phase") == status_of(old).get("phase") and all(
            after.get(field) == before.get(field)
            for field in ("deletionTimestamp", "deletionGracePeriodSeconds")
        )
    if key.resource == "persistentvolumeclaims":
        return new.get("status") is old.get("status")
    return True


def _charged(  # a write, and the quota it is held to
    quota: Object,
    hard: dict[str, Any],
    key: Key,
    new: Object | None,
    old: Object | None,
    now: float,
) -> Object:
    resource = key.resource
    counts_new = new is not None and is_about(quota, resource, new)
    counts_old = old is not None and is_about(quota, resource, old)
    after = usage_of(resource, new, now) if new is not None and counts_new else {}
    before = usage_of(resource, old, now) if old is not None and counts_old else {}
    if new is not None and old is None and counts_new:
        _check_specified(quota, hard, key, new)
    change = {
        name: Quantity(nano, (after.get(name) or before[name]).notation)
        for name in {**after, **before}
        if name in hard and (nano := _nano(after, name) - _nano(before, name))
    }
    if not change:
        return quota
    used = status_of(quota).get("used") or {}
    # What only changes a status has happened already, and a pod may move between scopes.
    wanted = new is not None and (
        old is None or (counts_old and new.get("spec") is not old.get("spec"))
    )
    if wanted and new is not None:
        _check(quota, hard, used, change, (resource, named(new)))
    sums = {}
    for name, amount in change.items():
        held = parse(used.get(name, "0"))
        notation = held.notation if held.nano else amount.notation
        sums[name] = str(Quantity(max(held.nano + amount.nano, 0), notation))
    return {**quota, "status": {**quota["status"], "used": {**used, **sums}}}


def _nano(usage: Usage, name: str) -> int:
    amount = usage.get(name)
    return amount.nano if amount is not None else 0


def _check_specified(quota: Object, hard: dict[str, Any], key: Key, new: Object) -> None:
    if key.resource == "pods" and (missing := unspecified(hard, new)):
        name = quota["metadata"]["name"]
        raise forbidden("pods", named(new), f"failed quota: {name}: must specify {missing}")


def _check(
    quota: Object,
    hard: dict[str, Any],
    used: dict[str, Any],
    change: Usage,
    about: tuple[str, str],
) -> None:
    name = quota["metadata"]["name"]
    more = {resource: amount for resource, amount in change.items() if amount.nano > 0}
    unknown = sorted(resource for resource in more if resource not in used)
    if unknown:
        listed = ",".join(unknown)
        raise forbidden(*about, f"status unknown for quota: {name}, resources: {listed}")
    over = sorted(
        resource
        for resource, amount in more.items()
        if parse(used[resource]).nano + amount.nano > parse(hard[resource]).nano
    )
    if over:
        requested, held, limited = (
            ",".join(f"{resource}={amounts[resource]}" for resource in over)
            for amounts in (more, used, hard)
        )
        why = f"exceeded quota: {name}, requested: {requested}, used: {held}, limited: {limited}"
        raise forbidden(*about, why)
