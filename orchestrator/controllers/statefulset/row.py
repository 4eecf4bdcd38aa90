"""The pods of a StatefulSet in order, kept up to date pod by pod. Pure.

A set of a thousand pods is looked at three times for each of them as it comes up in order. So a
look must not walk those that are as they should be: they are *settled*, and only counted. What a
decision asks for (who is missing, who is not settled, who has an old revision, how many there are)
is kept here, and changes with the pod that changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from heapq import heappop, heappush, merge
from typing import Final, NamedTuple

from orchestrator.controllers.statefulset.census import Counts, Member
from orchestrator.controllers.statefulset.ordinals import Ordinals


class Terms(NamedTuple):
    """What pods are judged by.

    Attributes:
        start: The first ordinal of the row.
        size: How many pods the row has.
        seconds: ``minReadySeconds``.
    """

    start: int
    size: int
    seconds: int

    @property
    def end(self) -> int:
        """The first ordinal behind the row."""
        return self.start + self.size


class _Standing(NamedTuple):
    """What was made of one pod.

    Attributes:
        member: The pod.
        available: Whether it has been ready for long enough.
        fits: Whether its identity and claims are as they should be.
        lost: Whether it can't serve, or won't for long.
        amiss: Whether a decision has to see it: it is *unsettled*, or a condemned *misfit*.
    """

    member: Member
    available: bool
    fits: bool
    lost: bool
    amiss: bool


class Row:
    """A StatefulSet's pods by ordinal.

    Attributes:
        terms: What they were judged by.
    """

    def __init__(self, terms: Terms, fits: Callable[[Member, bool], bool]) -> None:
        """Begin without pods.

        Args:
            terms: What to judge by.
            fits: Tells whether a pod's identity and claims are as they should be, or rather would
                be if it is condemned.
        """
        self.terms: Final = terms
        self._fits = fits
        self._standings: dict[int, _Standing] = {}
        self._present = Ordinals()
        self._unsettled = Ordinals()
        self._condemned = Ordinals()
        self._misfits = Ordinals()  # condemned pods whose claims want another owner
        self._weak = Ordinals()  # condemned pods that are not available
        self._by_revision: dict[str, Ordinals] = {}
        self._on_revision: Counter[str] = Counter()
        self._replicas = self._ready = self._available = 0
        self._ripening: list[tuple[float, int]] = []

    # -- what happens ----------------------------------------------------------------------

    def put(self, member: Member, now: float) -> None:
        """Take in a pod as it now is."""
        ordinal, terms = member.ordinal, self.terms
        condemned = not terms.start <= ordinal < terms.end
        available = member.is_available(terms.seconds, now)
        fits = self._fits(member, condemned)
        lost = member.terminating or not available
        amiss = not fits or (not condemned and (lost or member.ended))
        before = self._standings.get(ordinal)
        standing = self._standings[ordinal] = _Standing(member, available, fits, lost, amiss)
        self._count(standing, 1)
        if before is None:
            (self._condemned if condemned else self._present).add(ordinal)
            self._by_revision.setdefault(member.revision, Ordinals()).add(ordinal)
        else:
            self._count(before, -1)
            if before.member.revision != member.revision:
                self._leave_revision(before.member)
                self._by_revision.setdefault(member.revision, Ordinals()).add(ordinal)
        # Most changes leave a pod where it stands in these.
        if amiss != (before is not None and before.amiss):
            found = self._misfits if condemned else self._unsettled
            (found.add if amiss else found.discard)(ordinal)
        if condemned and lost != (before is not None and before.lost):
            (self._weak.add if lost else self._weak.discard)(ordinal)
        if member.since is not None and not available:
            heappush(self._ripening, (member.since + terms.seconds, ordinal))

    def drop(self, ordinal: int) -> None:
        """Forget a pod, if it is there."""
        standing = self._standings.pop(ordinal, None)
        if standing is None:
            return
        self._count(standing, -1)
        self._leave_revision(standing.member)
        for ordinals in (
            self._present,
            self._unsettled,
            self._condemned,
            self._weak,
            self._misfits,
        ):
            ordinals.discard(ordinal)

    def _leave_revision(self, member: Member) -> None:
        ordinals = self._by_revision[member.revision]
        ordinals.discard(member.ordinal)
        if not ordinals:
            del self._by_revision[member.revision]

    def ripen(self, now: float) -> None:
        """Judge those anew that have been ready for long enough by now."""
        while self._ripening and self._ripening[0][0] <= now:
            _, ordinal = heappop(self._ripening)
            standing = self._standings.get(ordinal)
            if standing is not None and not standing.available:
                self.put(standing.member, now)

    def _count(self, standing: _Standing, sign: int) -> None:
        member = standing.member
        if not member.phase:
            return
        self._replicas += sign
        self._ready += sign * member.ready
        self._available += sign * standing.available
        if not member.terminating:
            self._on_revision[member.revision] += sign

    # -- what it comes to ------------------------------------------------------------------

    def get(self, ordinal: int) -> Member | None:
        """Return the pod with an ordinal, None when there is none."""
        standing = self._standings.get(ordinal)
        return standing.member if standing is not None else None

    def members(self) -> list[Member]:
        """Return all pods: a walk."""
        return [standing.member for standing in self._standings.values()]

    def counts(self, current: str, updated: str) -> Counts:
        """Return the pods in numbers.

        Args:
            current: Name of the current revision.
            updated: Name of the update revision.
        """
        by = self._on_revision
        return Counts(self._replicas, self._ready, self._available, by[current], by[updated])

    def revisions(self) -> list[str]:
        """Return the names of the revisions that pods have."""
        return list(self._by_revision)

    def next_available(self, now: float) -> float | None:
        """Return the seconds until a ready pod becomes available, None when all are."""
        while self._ripening:
            moment, ordinal = self._ripening[0]
            standing = self._standings.get(ordinal)
            since = None if standing is None or standing.available else standing.member.since
            if since is not None and since + self.terms.seconds == moment:
                return moment - now
            heappop(self._ripening)
        return None

    def is_unavailable(self, member: Member) -> bool:
        """Tell whether one of the pods can't serve, or won't for long."""
        return self._standings[member.ordinal].lost

    @property
    def missing(self) -> int:
        """How many pods of the row are not there."""
        return self.terms.size - len(self._present)

    def gaps(self) -> Iterator[int]:
        """Return the ordinals of the row without a pod, in order."""
        return self._present.gaps(self.terms.start, self.terms.end)

    def unsettled(self) -> list[Member]:
        """Return the pods of the row that are not as they should be, in order."""
        return [self._standings[ordinal].member for ordinal in self._unsettled]

    def to_see_to(self) -> Iterator[tuple[int, Member | None]]:
        """Return gaps and pods that are not settled, in order and one by one."""
        for ordinal in merge(self._unsettled, self.gaps()):
            yield ordinal, self.get(ordinal)

    def condemned(self) -> Iterator[Member]:
        """Return the pods that are not of the row, the highest ordinal first."""
        return (self._standings[ordinal].member for ordinal in reversed(self._condemned))

    def misfits(self) -> list[Member]:
        """Return the condemned pods whose claims want another owner, the highest first."""
        return [self._standings[ordinal].member for ordinal in reversed(self._misfits)]

    def first_weak(self) -> Member | None:
        """Return the condemned pod of the lowest ordinal that is unavailable, None for none."""
        return next((self.get(ordinal) for ordinal in self._weak), None)

    def outdated(self, update: str, first: int) -> Iterator[Member]:
        """Return pods of the row with another revision than ``update``, the highest first.

        Args:
            update: Name of the update revision.
            first: The lowest ordinal asked for.
        """
        others = (
            ordinals.down_from(self.terms.end, max(first, self.terms.start))
            for revision, ordinals in self._by_revision.items()
            if revision != update
        )
        for ordinal in merge(*others, reverse=True):
            yield self._standings[ordinal].member
