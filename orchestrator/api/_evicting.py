"""Evictions carried out: the budget is spent from, the pod marked, then deleted.

Each of the three is decided by the sequencer on the latest state, so that of two evictions at once
the second sees what the first one spent. Rules: the eviction subresource of
https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.api._evictions import (
    budgets_of,
    ignores_budget,
    may_skip_budget,
    spend_disruption,
    still_processing,
)
from orchestrator.resources.disruptions import BUDGETS, with_target_condition
from orchestrator.resources.errors import StatusError, not_found
from orchestrator.resources.objects import Key, Object, meta, name_of, status_of, uid_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store import DeleteOptions
from orchestrator.store.rules import check_preconditions

if TYPE_CHECKING:
    from orchestrator.store import Store
    from orchestrator.store.admission import Caller

_PODS: Final = "pods"

_ATTEMPTS: Final = 20
"""How often a pod that changed meanwhile is decided about again; upstream's number."""


class Evictions:
    """Deletes pods whose budgets allow it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def evict(
        self,
        namespace: str,
        name: str,
        options: DeleteOptions,
        caller: Caller,
        *,
        dry_run: bool,
    ) -> None:
        """Evict a pod, or refuse to.

        Args:
            namespace: Of the pod.
            name: Of the pod.
            options: How to delete it.
            caller: Who evicts.
            dry_run: Decide, but write nothing.

        Raises:
            StatusError: 404, 409 when a precondition fails, 429 when the budget does not allow
                it, 500 when the pod has several.
        """
        for attempt in range(_ATTEMPTS):
            pod = self._find(namespace, name)
            free = ignores_budget(pod)
            budget = None if free else next(iter(budgets_of(pod, self._budgets(namespace))), None)
            unready = budget is not None and may_skip_budget(budget, pod)
            # One that goes without asking must still be what it was when that was decided.
            pinned = unready or (free and status_of(pod).get("phase", "Pending") == "Pending")
            if budget is not None and not unready:
                await self._spend(budget, pod, dry_run=dry_run)
            try:
                await self._remove(pod, options, caller, pinned=pinned, dry_run=dry_run)
            except StatusError as error:
                if error.code != 409 or not pinned or options.resource_version:
                    raise
                if budget is not None:
                    raise still_processing(name_of(budget)) from None
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _find(self, namespace: str, name: str) -> Object:
        pod = self._store.get(_PODS, namespace, name)
        if pod is None:
            raise not_found(_PODS, name)
        return pod

    def _budgets(self, namespace: str) -> list[Object]:
        return self._store.list(BUDGETS, namespace)

    async def _spend(self, budget: Object, pod: Object, *, dry_run: bool) -> None:
        await self._store.modify(
            BUDGETS,
            meta(budget)["namespace"],
            name_of(budget),
            partial(spend_disruption, pod=pod, now=self._now()),
            subresource="status",
            dry_run=dry_run,
        )

    async def _remove(
        self,
        pod: Object,
        options: DeleteOptions,
        caller: Caller,
        *,
        pinned: bool,
        dry_run: bool,
    ) -> None:
        """Mark the pod as the target of an eviction, then delete it."""
        namespace, name = meta(pod)["namespace"], name_of(pod)
        # The budget was asked for this pod, not for another that took its name meanwhile.
        options = options._replace(uid=options.uid or uid_of(pod))
        if pinned and not options.resource_version:
            options = options._replace(resource_version=meta(pod)["resourceVersion"])
        if not dry_run:
            marked = await self._store.modify(
                _PODS,
                namespace,
                name,
                partial(self._marked, options=options, now=self._now()),
                subresource="status",
                admit=False,
            )
            if options.resource_version:
                version = meta(marked)["resourceVersion"]
                options = options._replace(resource_version=version)
        await self._store.delete(
            _PODS, namespace, name, options=options, dry_run=dry_run, caller=caller
        )

    def _now(self) -> str:
        return format_time(self._store.clock.now())

    def _marked(self, pod: Object, options: DeleteOptions, now: str) -> Object:
        """Return the pod with the eviction's mark, if it is the one that is to be evicted.

        Raises:
            StatusError: 409, it is not.
        """
        kind = self._store.registry.by_key(_PODS)
        check_preconditions(kind, Key(_PODS, meta(pod)["namespace"], name_of(pod)), pod, options)
        return with_target_condition(pod, "EvictionByEvictionAPI", "Eviction API: evicting", now)
