"""Snapshots: a state of all objects that can be put back."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.embedded.errors import ClusterError
from orchestrator.resources.objects import Key, Object
from orchestrator.store import Store
from orchestrator.store.operations import Rewind

if TYPE_CHECKING:
    from actors.log import EventLog
    from orchestrator.embedded.containers.images import ImageBook
    from orchestrator.node import NodeManager
    from orchestrator.node.runtime import Courses


class Standing(NamedTuple):
    """How nodes fare, beside what their objects say.

    Attributes:
        living: Names of those that live.
        fallen: Of those that have crashed.
        cut: Of those that live and are cut off.
    """

    living: tuple[str, ...]
    fallen: tuple[str, ...]
    cut: tuple[str, ...]


def standing_of(nodes: NodeManager) -> Standing:
    """Return how nodes fare now."""
    living = nodes.names
    return Standing(living, nodes.fallen, tuple(n for n in living if not nodes.reaches(n)))


async def let_stand(nodes: NodeManager, wanted: Standing) -> None:
    """Let nodes fare as they did; their objects and pods are put back afterwards."""
    now = standing_of(nodes)
    if now == wanted:
        return
    there = {*wanted.living, *wanted.fallen}
    for name in (*now.living, *now.fallen):
        if name not in there:
            await nodes.remove(name)
    for name in now.cut:
        if name in there and name not in wanted.cut:
            await nodes.heal(name)
    for name in (*wanted.living, *wanted.fallen):
        if not nodes.lives(name) and (name in wanted.living or name not in now.fallen):
            nodes.forget(name)
            await nodes.add(nodes.known[name])
    for name in wanted.fallen:
        if nodes.lives(name):
            await nodes.kill(name)
    for name in wanted.cut:
        if nodes.reaches(name):
            await nodes.partition(name)


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Let the cyclic collector rest while thousands of small objects are made that all stay.

    It would look through them again and again, a tenth of all that a restore takes.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class ClusterSnapshot:
    """All objects of a cluster as they were; made by `Cluster.snapshot`.

    Attributes:
        version: When, as a ``resourceVersion``.
        moment: The cluster's time then, in seconds since 1970.
        standing: Which nodes lived, had crashed, were cut off.
        courses: How far their containers had come.
        images: What was said of images; None where nothing was.
    """

    def __init__(
        self,
        store: Store,
        log: EventLog,
        standing: Standing,
        courses: Courses,
        images: ImageBook | None,
        objects: dict[Key, Object],
    ) -> None:
        """Hold the objects of ``store``, which are frozen and come from ``log``."""
        self.version = store.sequence
        self.standing = standing
        self.courses = courses
        self.images = images
        self._log = log
        self.moment = store.clock.now()
        self._objects = objects
        # As `_objects`, but for those that have been put back: what is put back has a new version,
        # and is not to be compared field by field again.
        self._known = dict(objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __repr__(self) -> str:
        return f"<snapshot of {len(self)} objects at version {self.version}>"

    @property
    def time(self) -> dt.datetime:
        """The same as a moment in UTC."""
        return dt.datetime.fromtimestamp(self.moment, dt.UTC)

    def check(self, log: EventLog) -> None:
        """Raise unless the objects come from ``log``, which outlives a control plane.

        Raises:
            ClusterError: They were in another one.
        """
        if log is not self._log:
            raise ClusterError(
                "this snapshot was taken of another cluster, whose uids and keys are its own: "
                "restore it there, or fork that cluster"
            )

    async def put_back(self, store: Store, anew: frozenset[str]) -> None:
        """Make the objects of ``store`` what they were; pods ``anew`` go back in any case."""
        with _collector_at_rest():
            await store.rewind(Rewind(self._objects, self._known, anew))
