"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from typing import Self

    from orchestrator.api.faults.rules import ApiFault, ApiRequest, Effect, Matching, Schedule
    from orchestrator.embedded.sync.portal import Portal


class SyncFault:
    """The synchronous twin of `ApiFault`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: ApiFault) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def matching(self) -> Matching:
        """See the attribute of the asynchronous one."""
        return self._async.matching

    @property
    def schedule(self) -> Schedule:
        """See the attribute of the asynchronous one."""
        return self._async.schedule

    @property
    def effect(self) -> Effect:
        """See the attribute of the asynchronous one."""
        return self._async.effect

    @property
    def description(self) -> str:
        """See the attribute of the asynchronous one."""
        return self._async.description

    @property
    def hits(self) -> int:
        """See the attribute of the asynchronous one."""
        return self._async.hits

    @property
    def seen(self) -> int:
        """See the attribute of the asynchronous one."""
        return self._async.seen

    def __enter__(self) -> Self:
        self._portal.run(self._async.__enter__)
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.run(self._async.__exit__, *_)

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    def strikes(self, request: ApiRequest, chance: random.Random) -> bool:
        """Tell whether it strikes a request, and count it."""
        return self._portal.run(self._async.strikes, request, chance)
