"""Telling, sending and asking."""

import asyncio
from typing import Any

import pytest
import structlog

from actors import (
    DEFERRED,
    Actor,
    ActorStopped,
    ActorSystem,
    AskTimeout,
    BatchActor,
    Envelope,
    MailboxFull,
    Overflow,
)
from actors.testing import virtual


class Echo(Actor[Any]):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receive(self, message: Any) -> Any:
        self.seen.append(message)
        if isinstance(message, Exception):
            raise message
        return message


class SlowEcho(Echo):
    async def receive(self, message: Any) -> Any:
        await asyncio.sleep(1)
        return super().receive(message)


@virtual
async def test_an_ask_returns_what_the_handler_returned() -> None:
    """Both kinds of handler answer."""
    async with ActorSystem() as system:
        assert await system.spawn(Echo, "a").ask(1) == 1
        assert await system.spawn(SlowEcho, "b").ask(2) == 2


@virtual
async def test_a_failed_ask_raises_in_the_asker_and_leaves_the_actor_alone() -> None:
    """The supervisor is not involved."""
    async with ActorSystem() as system:
        ref = system.spawn(Echo, "a")
        with pytest.raises(KeyError):
            await ref.ask(KeyError("x"))
        assert await ref.ask(1) == 1
        assert ref.statistics().restarts == 0


@virtual
async def test_an_ask_without_answer_times_out() -> None:
    """After its own deadline, in virtual time."""

    class Silent(Actor[Any]):
        def receive(self, message: Any) -> Any:
            return DEFERRED

    async with ActorSystem() as system:
        with pytest.raises(AskTimeout, match="/user/a did not answer within 3 s"):
            await system.spawn(Silent, "a").ask(1, timeout=3)


@virtual
async def test_messages_keep_their_order_and_one_is_handled_at_a_time() -> None:
    """Also when handlers suspend."""
    async with ActorSystem() as system:
        actor = SlowEcho()
        ref = system.spawn(lambda: actor, "a")
        for number in range(5):
            ref.tell(number)
        assert await ref.ask("end", timeout=10) == "end"
        assert actor.seen == [0, 1, 2, 3, 4, "end"]
        assert asyncio.get_running_loop().time() == 6


@virtual
async def test_a_full_mailbox_rejects() -> None:
    """The sender learns it at once."""

    class Small(SlowEcho):
        mailbox_limit = 2

    async with ActorSystem() as system:
        ref = system.spawn(Small, "a")
        ref.tell(1)
        ref.tell(2)
        with pytest.raises(MailboxFull):
            ref.tell(3)


@virtual
async def test_a_full_mailbox_may_drop_the_oldest() -> None:
    """The dropped one is a dead letter."""

    class Small(Echo):
        mailbox_limit = 2
        overflow = Overflow.DROP_OLDEST

    async with ActorSystem() as system:
        actor = Small()
        ref = system.spawn(lambda: actor, "a")
        for number in range(4):
            ref.tell(number)
        await asyncio.sleep(1)
        assert actor.seen == [2, 3]
        assert system.dead_letters.count == 2


@virtual
async def test_a_sender_waits_for_room() -> None:
    """Nothing is lost and the order stays."""

    class Small(SlowEcho):
        mailbox_limit = 2

    async with ActorSystem() as system:
        actor = Small()
        ref = system.spawn(lambda: actor, "a")
        for number in range(10):
            await ref.send(number)
        await asyncio.sleep(10)
        assert actor.seen == list(range(10))


@virtual
async def test_a_batch_is_what_had_queued() -> None:
    """Asks in it are answered through their envelopes."""

    class Sum(BatchActor[int]):
        batch_limit = 3

        def __init__(self) -> None:
            self.batches: list[list[int]] = []

        def receive_batch(self, batch: list[Envelope[int]]) -> None:
            self.batches.append([one.message for one in batch])
            for one in batch:
                one.reply(one.message * 2)

    async with ActorSystem() as system:
        actor = Sum()
        ref = system.spawn(lambda: actor, "a")
        for number in range(4):
            ref.tell(number)
        assert await ref.ask(21) == 42
        assert actor.batches == [[0, 1, 2], [3, 21]]


@virtual
async def test_asks_left_in_a_stopped_actors_mailbox_get_actor_stopped() -> None:
    """The asker does not wait for its deadline."""
    async with ActorSystem() as system:
        ref = system.spawn(SlowEcho, "a")
        ref.tell(1)
        asked = asyncio.ensure_future(ref.ask(2))
        await asyncio.sleep(0.5)
        await system.stop(ref)
        with pytest.raises(ActorStopped):
            await asked
        assert not ref.alive
        ref.tell(3)
        assert system.dead_letters.count == 1


@virtual
async def test_only_dead_letters_before_the_end_are_warned_of() -> None:
    """While the system stops, what is told to those that are gone is counted, not complained of."""

    class Late(Echo):
        def stopped(self) -> None:
            other.tell("are you there?")

    with structlog.testing.capture_logs() as logs:
        async with ActorSystem() as system:
            system.spawn(Late, "late")
            other = system.spawn(Echo, "other")
            await asyncio.sleep(1)
        assert system.dead_letters.count == 1
        assert logs == []
    with structlog.testing.capture_logs() as logs:
        async with ActorSystem() as system:
            other = system.spawn(Echo, "other")
            await system.stop(other)
            other.tell("are you there?")
        assert [line["log_level"] for line in logs] == ["warning"]
