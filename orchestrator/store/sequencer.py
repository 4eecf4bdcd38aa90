"""The one writer: decides what was proposed, makes it durable in groups, publishes, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from actors import BatchActor, Envelope, Job
from actors.log import Appended, Conflict, EventLog, LogError
from orchestrator.resources.errors import StatusError, internal_error, service_unavailable
from orchestrator.resources.objects import Object
from orchestrator.store.deciding import Decider, Draft
from orchestrator.store.events import ObjectEvent
from orchestrator.store.operations import Commit, Raced

Result: TypeAlias = Object | StatusError | Raced
Publish: TypeAlias = Callable[[list[ObjectEvent], int], None]


class SequenceBroken(Exception):  # noqa: N818 - it says what happened
    """The log gave a record another sequence than predicted: somebody else writes to it."""


@dataclass(slots=True)
class _Turn:
    """One batch between its decisions and its replies."""

    answers: list[tuple[Envelope[Commit], list[Result]]]
    draft: Draft

    def reply(self) -> None:
        for envelope, results in self.answers:
            envelope.reply(results)

    def fail(self, error: Exception) -> None:
        for envelope, _ in self.answers:
            envelope.fail(error)


class Sequencer(BatchActor[Commit]):
    """Batch → decisions on the overlay → one append → projection → followers → replies.

    A later proposal sees the earlier ones; readers see only what is durable. While one batch is
    being written, the next one is decided on top of it, and more proposals queue: at most one
    append is under way, so that a sequence, once predicted, cannot come out otherwise. A commit
    that fails fails everything in it and everything that was decided on top of it.

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
        self._flight: Job | None = None
        self._generation = 0

    async def started(self) -> None:
        """Take in what is in the log and not in the projection, then accept proposals."""
        await self._recover()
        self._decider = self._make_decider()

    async def receive_batch(self, batch: list[Envelope[Commit]]) -> None:
        """Decide one batch, and begin to write it once the one before is durable."""
        self._decider.now = self.context.clock.now()
        generation = self._generation
        answers = [(envelope, self._decide(envelope.message)) for envelope in batch]
        turn = _Turn(answers, self._decider.take())
        if self._flight is not None:
            flight, self._flight = self._flight, None
            await asyncio.wait([flight.task])
            if generation != self._generation:
                # What this batch saw never came to be, and its sequences are void.
                turn.fail(service_unavailable("the write before this one failed, try again"))
                return
        if turn.draft.events:
            self._flight = self.context.run(self._land(turn))
        else:
            turn.reply()

    def _decide(self, commit: Commit) -> list[Result]:
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

    async def _land(self, turn: _Turn) -> None:
        """Make a turn durable, show it to everyone, answer it."""
        try:
            results = await self._log.append(turn.draft.appends)
            self._check(turn.draft, results)
        except LogError as error:
            self.context.log.warning(
                "commit failed", events=len(turn.draft.events), error=str(error)
            )
            turn.fail(service_unavailable(f"the event log refused the write: {error}"))
            # The log says what became of it; whatever was decided on top of it is void.
            await self._recover()
            self._decider.reset(self._log.last_sequence)
            self._generation += 1
            return
        except BaseException:
            turn.fail(service_unavailable("the store stopped before the write was confirmed"))
            raise
        self._publish(turn.draft.events, sum(len(append.data) for append in turn.draft.appends))
        turn.reply()

    @staticmethod
    def _check(draft: Draft, results: list[Appended | Conflict]) -> None:
        first, last = draft.events[0].sequence, draft.events[-1].sequence
        if results[0] != Appended(first) or results[-1] != Appended(last):
            raise SequenceBroken(
                f"expected sequences {first} to {last}, the log answered {results[0]} to "
                f"{results[-1]}: another process writes to this log"
            )
