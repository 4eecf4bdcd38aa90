"""The bus: topics, and messages to addresses, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from actors._errors import MailboxFull
from actors._refs import ActorRef

if TYPE_CHECKING:
    from actors._system import ActorSystem


class Subscription(Protocol):
    """An actor's interest in a topic."""

    def cancel(self) -> None:
        """Hear nothing more of it."""


class Bus(Protocol):
    """How messages travel that are not sent to a ref at hand."""

    def attach(self, system: ActorSystem) -> None:
        """Serve that system; called once, when it begins."""

    def publish(self, topic: str, message: Any) -> int:
        """Tell all subscribers of the topic and return how many there were; never suspends."""

    def subscribe(self, topic: str, ref: ActorRef[Any]) -> Subscription:
        """Tell ``ref`` what is published on ``topic`` until it stops or cancels."""

    def tell(self, address: str, message: Any) -> None:
        """Tell the actor at an address; a dead letter when there is none."""


class _LocalSubscription:
    __slots__ = ("_bus", "ref", "topic")

    def __init__(self, bus: LocalBus, topic: str, ref: ActorRef[Any]) -> None:
        self._bus = bus
        self.topic = topic
        self.ref = ref

    def cancel(self) -> None:
        """Hear nothing more of it."""
        self._bus.remove(self)


class LocalBus:
    """A bus inside one process: a dictionary."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[_LocalSubscription, None]] = {}
        self._system: ActorSystem | None = None

    def attach(self, system: ActorSystem) -> None:
        """Serve that system."""
        self._system = system

    def publish(self, topic: str, message: Any) -> int:
        """Tell all subscribers, oldest first.

        A subscriber whose mailbox is full follows its own overflow policy; where that is to
        reject, the message becomes its dead letter and the publisher never notices.
        """
        subscriptions = self._topics.get(topic)
        if not subscriptions:
            return 0
        count = 0
        for subscription in list(subscriptions):
            ref = subscription.ref
            if not ref.alive:
                self.remove(subscription)
                continue
            count += 1
            try:
                ref.tell(message)
            except MailboxFull:
                if self._system is not None:
                    self._system.dead_letters.add(ref.address, message, "overflow")
        return count

    def subscribe(self, topic: str, ref: ActorRef[Any]) -> Subscription:
        """Tell ``ref`` what is published on ``topic`` until it stops or cancels."""
        subscription = _LocalSubscription(self, topic, ref)
        self._topics.setdefault(topic, {})[subscription] = None
        return subscription

    def remove(self, subscription: _LocalSubscription) -> None:
        """Forget a subscription."""
        topic = self._topics.get(subscription.topic)
        if topic is not None:
            topic.pop(subscription, None)
            if not topic:
                del self._topics[subscription.topic]

    def tell(self, address: str, message: Any) -> None:
        """Tell the actor at an address."""
        if self._system is None:
            raise RuntimeError("the bus serves no system yet: pass it to ActorSystem(bus=...)")
        ref = self._system.find(address)
        if ref is None:
            self._system.dead_letters.add(address, message, "no such address")
        else:
            ref.tell(message)
