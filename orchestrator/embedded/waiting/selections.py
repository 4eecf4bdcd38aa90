"""The objects that a wait is about: found by name or by labels, followed, described."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.embedded.arguments import text_of
from orchestrator.embedded.kinds.names import find_reference
from orchestrator.embedded.waiting.conditions import Check, Condition, describe_state
from orchestrator.resources.objects import Object, name_of, namespace_of
from orchestrator.resources.selectors import SelectorError, parse_label_selector
from orchestrator.store import Expired

if TYPE_CHECKING:
    from orchestrator.resources.kinds import Kind
    from orchestrator.store import Store

_TELLING: Final = 8
"""Events of an object that are shown to who waited for it in vain."""

_LOOKED_AT: Final = 1000
"""Objects below it of which warnings are looked for."""

_RESTARTING: Final = 0.02
"""Real seconds between looks whether a control plane is there again."""


class Selection:
    """One object, or all of a kind that labels select."""

    def __init__(
        self, store: Callable[[], Store], target: str, namespace: str, labels: str | None
    ) -> None:
        """Read what is asked for.

        Args:
            store: Returns where the objects are; after a restart of the control plane, another one.
            target: ``deployment/web``, or ``pods`` for all that ``labels`` select.
            namespace: Where, for kinds that live in namespaces.
            labels: Which of them, where no one is named.

        Raises:
            StatusError: 404, there is no such kind.
            TypeError: What is given is no text.
        """
        self._find_store = store
        self._target = target
        self._reference = find_reference(store().registry, target)
        self._namespace = namespace if self._reference.kind.namespaced else ""
        text_of(namespace, "a namespace")
        if labels is not None and self._reference.name:
            raise ValueError(
                f"labels={labels!r} choose among objects, and {target} is one: leave them out, or "
                f"name the kind alone: {target.partition('/')[0]!r}"
            )
        if labels is not None and not isinstance(labels, str):
            raise TypeError(f"give labels as text, 'app=web,tier!=db', not {labels!r}")
        try:
            self._labels = parse_label_selector(labels) if labels else None
        except SelectorError as error:
            raise ValueError(f"labels={labels!r} cannot be read: {error}") from None

    @property
    def _store(self) -> Store:
        return self._find_store()

    @property
    def kind(self) -> Kind:
        """What the objects are."""
        return self._reference.kind

    def objects(self) -> list[Object]:
        """Return what is there now."""
        kind, name = self._reference
        if name:
            one = self._store.get(kind.resource, self._namespace, name)
            return [] if one is None else [one]
        return self._store.list(kind.resource, self._namespace or None, labels=self._labels)

    def named(self) -> Object | None:
        """Return the one object that is named; None without a name, or when it is not there."""
        objects = self.objects()
        return objects[0] if self._reference.name and objects else None

    def passes(self, check: Check) -> bool:
        """Tell whether all that is there passes; where nothing is, the check is asked of None."""
        objects = self.objects()
        return all(check(obj) for obj in objects) if objects else bool(check(None))

    async def followed_until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Look again whenever an object of the kind changes, for so many seconds."""
        try:
            async with asyncio.timeout(timeout):
                held = False
                while not held:
                    held = await self._followed(self._store, holds)
        except TimeoutError:
            return False
        return True

    async def _followed(self, store: Store, holds: Callable[[], bool]) -> bool:
        """Do so in one life of the control plane; returns whether it holds at last."""
        changed = asyncio.Event()
        follower = store.follow([self._reference.kind.resource], changed.set)
        ended = asyncio.create_task(store.ended())
        ended.add_done_callback(lambda _: changed.set())
        try:
            while not (held := holds()) and not ended.done():
                await changed.wait()
                changed.clear()
                try:
                    follower.take()
                except Expired:  # a snapshot was put back: what is there now counts
                    follower.restart(store.sequence)
        finally:
            ended.cancel()
            follower.close()
        if not held:
            await asyncio.sleep(_RESTARTING)
        return held

    def describe(self, condition: Condition, timeout: float, how: str = "") -> str:
        """Say that a condition did not come true, and how things stand.

        Args:
            condition: Which.
            timeout: Seconds of the cluster's time that it had.
            how: What else is to be said of the wait.
        """
        wanted = getattr(condition, "__name__", condition)
        span = f"within {timeout:g} s of the cluster's time"
        lines = [f"{self._target} did not come to {wanted} {span}"]
        objects = self.objects()
        if not objects:
            said = describe_state(None) if self._reference.name else "there are none"
            lines.append(f"  {said}{self._elsewhere()}")
        for obj in objects:
            lines.append(f"  {name_of(obj)}: {describe_state(obj, condition)}")
            lines += [
                f"    {event.get('type')} {event.get('reason')}: {event.get('message')}"
                for event in self._events_about(obj)[-_TELLING:]
            ]
            lines += [f"    {line}" for line in self._warnings_below(obj)[-_TELLING:]]
        if how:
            lines.append(f"  {how}")
        return "\n".join(lines)

    def _elsewhere(self) -> str:
        """Say where what is not here may be, for who has forgotten to say where."""
        where, (kind, name) = self._namespace, self._reference
        if not where:
            return ""
        if self._store.get("namespaces", "", where) is None:
            return f": there is no namespace {where}"
        found = self._store.list(kind.resource, labels=self._labels)
        others = sorted({namespace_of(obj) for obj in found if name in ("", name_of(obj))})
        return f" in the namespace {where}, but in {', '.join(others)}" if others else ""

    def _warnings_below(self, obj: Object) -> list[str]:
        """Say what went wrong with what it owns, once each: a pod, most often, holds it up."""
        owners, below = [obj], dict[str, Object]()
        while owners and len(below) < _LOOKED_AT:
            owned = self._store.by_owner(owners.pop()["metadata"]["uid"])
            owners += [one for one in owned if one["metadata"]["uid"] not in below]
            below.update((one["metadata"]["uid"], one) for one in owned)
        told = {}
        for event in self._store.list("events"):
            about = event.get("involvedObject") or {}
            if event.get("type") == "Warning" and about.get("uid") in below:
                what = event.get("reason"), event.get("message")
                which = f"{str(about.get('kind')).lower()}/{about.get('name')}"
                told[what] = f"Warning {what[0]} of {which}: {what[1]}"
        return list(told.values())

    def _events_about(self, obj: Object) -> list[Object]:
        uid = obj["metadata"].get("uid")
        return [
            event
            for event in self._store.list("events")
            if (event.get("involvedObject") or {}).get("uid") == uid
        ]
