"""The one writer: decides what was proposed, makes it durable in groups, publishes, answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from actors import BatchActor, Envelope
from actors.log import Appended, EventLog, LogError
from orchestrator.resources.errors import StatusError, internal_error, service_unavailable
from orchestrator.resources.objects import Object
from orchestrator.store.deciding import Decider, Draft
from orchestrator.store.events import ObjectEvent
from orchestrator.store.operations import Commit, Raced

Result: TypeAlias = Object | StatusError | Raced
Publish: TypeAlias = Callable[[list[ObjectEvent], int], None]


class SequenceBroken(Exception):
    """The log gave a record another sequence than predicted: somebody else writes to it."""


@dataclass(slots=True)
class _Answers:
    """What a batch will answer once everything it saw is durable."""

    envelopes: list[tuple[Envelope[Commit], list[Result]]]


class Sequencer(BatchActor[Commit]):
    """Batch → decisions on the overlay → one append → projection → followers → replies.

    A later proposal of a batch sees the earlier ones; readers see only what is durable. A commit
    that fails fails everything in it. The mailbox is bounded; when it is full the proposer gets
    `MailboxFull`, which the store turns into 429.
    """

    mailbox_limit = 4096
    batch_limit = 512

    def __init__(
        self,
        log: EventLog,
        make_decider: Callable[[], Decider],
        recover: Callable[[], Any],
        publish: Publish,
    ) -> None:
        self._log = log
        self._make_decider = make_decider
        self._recover = recover
        self._publish = publish

    async def started(self) -> None:
        """Take in what is in the log and not in the projection, then accept proposals."""
        await self._recover()
        self._decider = self._make_decider()

    async def receive_batch(self, batch: list[Envelope[Commit]]) -> None:
        """Decide, commit and answer one batch."""
        self._decider.now = self.context.clock.now()
        answers = [(envelope, self._decide(envelope.message)) for envelope in batch]
        draft = self._decider.take()
        if draft.events:
            try:
                await self._commit(draft)
            except LogError as error:
                await self._abandon(batch, error)
                return
        for envelope, results in answers:
            envelope.reply(results)

    def _decide(self, commit: Commit) -> list[Result]:
        decide = self._decider.rehearse if commit.dry_run else self._decider.decide
        results: list[Result] = []
        for operation in commit.operations:
            try:
                results.append(decide(operation))
            except (StatusError, Raced) as error:
                results.append(error)
            except Exception as error:
                self.context.log.exception("proposal failed", operation=type(operation).__name__)
                results.append(internal_error(f"{type(error).__name__}: {error}"))
        return results

    async def _commit(self, draft: Draft) -> None:
        results = await self._log.append(draft.appends)
        first, last = results[0], results[-1]
        if first != Appended(draft.events[0].sequence) or last != Appended(
            draft.events[-1].sequence
        ):
            raise SequenceBroken(
                f"expected sequences {draft.events[0].sequence} to {draft.events[-1].sequence}, "
                f"the log answered {first} to {last}: another process writes to this log"
            )
        self._publish(draft.events, sum(len(append.data) for append in draft.appends))

    async def _abandon(self, batch: list[Envelope[Commit]], error: LogError) -> None:
        self.context.log.error("commit failed", error=str(error), proposals=len(batch))
        refusal = service_unavailable(f"the event log refused the write: {error}")
        for envelope in batch:
            envelope.fail(refusal)
        await self._recover()
        self._decider.reset(self._log.last_sequence)
