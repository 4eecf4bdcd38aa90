"""The one writer: decides what was proposed, makes it durable in groups, publishes, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from actors import BatchActor, Envelope
from actors.log import Appended, Conflict, EventLog, LogError
from orchestrator.resources.errors import StatusError, internal_error, service_unavailable
from orchestrator.resources.objects import Object
from orchestrator.store.deciding import Decider, Draft
from orchestrator.store.events import ObjectEvent
from orchestrator.store.operations import Commit, Raced

Result: TypeAlias = Object | StatusError | Raced
Publish: TypeAlias = Callable[[list[ObjectEvent], int, int], Callable[[], None]]
"""Takes events, the bytes of their records, and the last sequence that puts back earlier states.

Readers see them; what is returned tells those who follow.
"""


class SequenceBroken(Exception):  # noqa: N818 - it says what happened
    """The log gave a record another sequence than predicted: somebody else writes to it."""


_Answers: TypeAlias = list[tuple[Envelope[Commit], list[Result]]]

_ROOM = 1024
"""Records that are decided ahead of the log before more proposals are left in the mailbox."""


class Sequencer(BatchActor[Commit]):
    """Batch → decisions on the overlay → one append → projection → followers → replies.

    A later proposal sees the earlier ones; readers see only what is durable. While one append is
    being written, whatever is proposed is decided on top of it and collected for the next: at most
    one append is under way, so that a sequence, once predicted, cannot come out otherwise, and
    concurrent proposals share as few flushes as can be. A commit that fails fails everything in
    it and everything that was decided on top of it.

    The mailbox is bounded; when it is full the proposer gets `MailboxFull`, which the store turns
    into 429.
    """

    mailbox_limit = 4096
    batch_limit = 512

    def __init__(
        self,
        log: EventLog,
        make_decider: Callable[[], Decider],
        recover: Callable[[], Awaitable[None]],
        publish: Publish,
    ) -> None:
        self._log = log
        self._make_decider = make_decider
        self._recover = recover
        self._publish = publish
        self._writing = False
        self._answers: _Answers = []
        self._room = asyncio.Event()

    async def started(self) -> None:
        """Take in what is in the log and not in the projection, then accept proposals."""
        await self._recover()
        self._decider = self._make_decider()

    def receive_batch(self, batch: list[Envelope[Commit]]) -> Awaitable[None] | None:
        """Decide one batch; write it, at once or with others once the append before is durable."""
        self._decider.now = self.context.clock.now()
        decide = self._decide
        self._answers += [(envelope, decide(envelope.message)) for envelope in batch]
        if not self._writing:
            if not self._decider.draft.events:
                _reply(self._take())
                return None
            self._writing = True
            self.context.run(self._write())
        elif len(self._decider.draft.events) >= _ROOM:
            self._room.clear()
            return self._wait_for_room()
        return None

    async def _wait_for_room(self) -> None:
        await self._room.wait()

    def _take(self) -> _Answers:
        answers, self._answers = self._answers, []
        self._room.set()
        return answers

    def _decide(self, commit: Commit) -> list[Result]:
        self._decider.sign(commit.by)
        if commit.rewind is not None:
            self._decider.rewind(commit.rewind)
        decide = self._decider.rehearse if commit.dry_run else self._decider.decide
        results: list[Result] = []
        for operation in commit.operations:
            try:
                results.append(decide(operation))
            except (StatusError, Raced) as error:
                results.append(error)
            except Exception as error:
                # One bad proposal must not fail the others.
                self.context.log.exception("proposal failed", operation=type(operation).__name__)
                results.append(internal_error(f"{type(error).__name__}: {error}"))
        return results

    async def _write(self) -> None:
        """Append what is decided, and what is decided meanwhile, until nothing is left."""
        try:
            while self._answers:
                draft, answers = self._decider.take(), self._take()
                if draft.events:
                    await self._land(draft, answers)
                else:
                    _reply(answers)
        finally:
            self._writing = False

    async def _land(self, draft: Draft, answers: _Answers) -> None:
        """Make one draft durable, show it to everyone, answer for it."""
        try:
            with self.context.clock.held():  # a disk takes real time
                results = await self._log.append(draft.appends)
            self._check(draft, results)
        except LogError as error:
            _fail(answers, service_unavailable(f"the event log refused the write: {error}"))
            self.context.log.warning("commit failed", events=len(draft.events), error=str(error))
            # The log says what became of it; whatever was decided on top of it is void.
            await self._recover()
            self._decider.reset(self._log.last_sequence)
            _fail(self._take(), service_unavailable("the write before this one failed, try again"))
            return
        except BaseException:
            unconfirmed = service_unavailable("the store stopped before the write was confirmed")
            _fail(answers, unconfirmed)
            _fail(self._take(), unconfirmed)
            raise
        size = sum([len(append.data) for append in draft.appends])
        rewound = draft.rewinds[-1] if draft.rewinds else 0
        tell = self._publish(draft.events, size, rewound)
        if rewound:
            # Whoever put a state back does not wait until everybody has looked at all of it, so
            # he has the next round of the loop to himself.
            _reply(answers)
            asyncio.get_running_loop().call_soon(tell)
        else:
            tell()
            _reply(answers)

    @staticmethod
    def _check(draft: Draft, results: list[Appended | Conflict]) -> None:
        first, last = draft.events[0].sequence, draft.events[-1].sequence
        if results[0] != Appended(first) or results[-1] != Appended(last):
            raise SequenceBroken(
                f"expected sequences {first} to {last}, the log answered {results[0]} to "
                f"{results[-1]}: another process writes to this log"
            )


def _reply(answers: _Answers) -> None:
    for envelope, results in answers:
        envelope.reply(results)


def _fail(answers: _Answers, error: Exception) -> None:
    for envelope, _ in answers:
        envelope.fail(error)
