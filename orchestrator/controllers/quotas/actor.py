"""The resource-quota controller."""

from __future__ import annotations

from functools import partial

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.quotas.core import RESOURCE, decide_quota
from orchestrator.resources.objects import is_deleting
from orchestrator.store import ObjectEvent, Store

_Key = tuple[str, str]


class QuotaController(Controller[_Key]):
    """Counts where no write does. It follows pods only once there is a quota at all."""

    resources = (RESOURCE,)

    def __init__(self, store: Store, recorder: Recorder) -> None:
        super().__init__(store, recorder)
        self._names: dict[str, set[str]] = {}
        self._follows_pods = False

    def reset(self) -> None:
        """Forget the quotas: they are listed again."""
        self._names = {}
        self._follows_pods = False

    def observe(self, event: ObjectEvent) -> None:
        """Mark the quota, or those of the namespace of a pod that is being deleted."""
        resource, namespace, name = event.key
        if resource == "pods":
            if namespace in self._names and event.type != "DELETED" and is_deleting(event.object):
                for quota in self._names[namespace]:
                    self.queue.mark((namespace, quota))
            return
        if event.type == "DELETED":
            self._names.get(namespace, set()).discard(name)
            return
        self._names.setdefault(namespace, set()).add(name)
        before = event.previous
        if before is not None and before.get("spec") == event.object.get("spec"):
            return  # a status that somebody wrote stands until the quota is looked at next
        self.queue.mark((namespace, name))
        if not self._follows_pods:
            self._follows_pods = True
            self.include(("pods",))

    def reconcile(self, key: _Key, now: float) -> Plan | None:
        """Decide about one quota."""
        namespace, name = key
        quota = self.store.get(RESOURCE, namespace, name)
        if quota is None:
            return None
        return decide_quota(quota, partial(self.store.list, namespace=namespace), now)
