"""Messages that will not be handled: counted, logged now and then, and open to subscribers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors._errors import MailboxFull
from actors._refs import ActorRef
from actors._states import CLOSING

if TYPE_CHECKING:
    from actors._system import ActorSystem

LOG_INTERVAL = 10.0
"""Seconds between two log lines; one line tells how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was not handled."""

    recipient: str
    message: Any
    reason: str
    """"stopped" or "overflow"."""


class DeadLetters:
    """The place where undeliverable messages are accounted for."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._subscribers: list[ActorRef[DeadLetter]] = []
        self._logged_at = float("-inf")
        self._logged_count = 0
        self.count = 0
        self.by_reason: dict[str, int] = {}

    def subscribe(self, ref: ActorRef[DeadLetter]) -> None:
        """Tell that actor of every dead letter until it stops; overflow there is not an error."""
        self._subscribers.append(ref)

    def add(self, recipient: str, message: Any, reason: str) -> None:
        """Account for one."""
        self.count += 1
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        # While everything stops, the last to stop still tells those that are gone.
        system = self._system
        ending = system.ending or system.guardian.state >= CLOSING
        if not (ending and reason == "stopped"):
            self._log(recipient, message, reason)
        if self._subscribers and not isinstance(message, DeadLetter):
            self._publish(DeadLetter(recipient=recipient, message=message, reason=reason))

    def _log(self, recipient: str, message: Any, reason: str) -> None:
        now = self._system.clock.monotonic()
        if now - self._logged_at < LOG_INTERVAL:
            return
        with contextlib.suppress(Exception):  # a log that fails is not the sender's trouble
            self._system.log.warning(
                "dead letter",
                recipient=recipient,
                message=type(message).__qualname__,
                reason=reason,
                since_last_line=self.count - self._logged_count,
            )
        self._logged_at = now
        self._logged_count = self.count

    def _publish(self, letter: DeadLetter) -> None:
        for ref in list(self._subscribers):
            if not ref.alive:
                self._subscribers.remove(ref)
                continue
            try:
                ref.tell(letter)
            except MailboxFull:
                self.count += 1
