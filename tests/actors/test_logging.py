"""Where the program's own log goes: to its host's, unless structlog was set up."""

from __future__ import annotations

import asyncio
import logging

import pytest
import structlog.testing

from actors import Actor, ActorSystem, get_logger
from actors.testing import virtual


class Fails(Actor[str]):
    """Fails over each message."""

    def receive(self, message: str) -> None:
        raise ValueError(message)


@virtual
async def test_a_failure_is_in_the_hosts_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """With whose it was, and where it came from; nothing is printed."""
    async with ActorSystem("s") as system:
        system.spawn(Fails, "b").tell("oh")
        await asyncio.sleep(1)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.filename) == ("actors", 40, "_system.py")
    assert record.message.startswith("actor failed actor='/user/b' outcome='restart' system='s'\n")
    assert record.message.endswith("ValueError: oh")
    assert capsys.readouterr() == ("", "")


def test_details_are_written_for_who_asks(caplog: pytest.LogCaptureFixture) -> None:
    """By the levels of the standard library."""
    log = get_logger("orchestrator.store", system="s").bind(actor="a")
    log.debug("write refused", key="k")
    assert caplog.records == []
    with caplog.at_level(logging.DEBUG, "orchestrator"):
        log.debug("write refused", key="k")
        try:
            int("oh")
        except ValueError:
            log.exception("odd")
    assert caplog.messages == [
        "write refused key='k' system='s' actor='a'",
        "odd system='s' actor='a'",
    ]
    assert "ValueError: invalid literal" in caplog.text
    with pytest.raises(AttributeError, match="no method 'shout'"):
        log.shout("ho")


def test_structlog_has_it_once_it_is_set_up(caplog: pytest.LogCaptureFixture) -> None:
    """Also from loggers that were made before."""
    log = get_logger("orchestrator.store", system="s")
    log.warning("before")
    with structlog.testing.capture_logs() as lines:
        log.warning("now", key="k")
    assert lines == [{"event": "now", "key": "k", "system": "s", "log_level": "warning"}]
    assert caplog.messages == ["before system='s'"]
