"""The subprotocols of ``exec`` over WebSocket: which is agreed on, and what messages say.

https://github.com/kubernetes/enhancements/blob/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets/README.md
"""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.api.streaming.channels import (
    COMMANDS,
    FORWARDS,
    V5,
    Piece,
    choose_protocol,
    decode_piece,
    encode_piece,
)
from orchestrator.api.streaming.conversing import exit_status, parse_size

BASE64 = COMMANDS["v4.base64.channel.k8s.io"]
V4 = COMMANDS["v4.channel.k8s.io"]


@pytest.mark.parametrize(
    ("offered", "commands", "forwards"),
    [
        ([], "", ""),
        (["v4.channel.k8s.io"], "v4.channel.k8s.io", "v4.channel.k8s.io"),
        (["v4.channel.k8s.io", "v5.channel.k8s.io"], "v5.channel.k8s.io", "v4.channel.k8s.io"),
        (["base64.channel.k8s.io", "channel.k8s.io"], "base64.channel.k8s.io", None),
        (["v4.base64.channel.k8s.io"], "v4.base64.channel.k8s.io", "v4.base64.channel.k8s.io"),
        (["v5.channel.k8s.io"], "v5.channel.k8s.io", None),
        (["v9.channel.k8s.io"], None, None),
        ([""], None, None),
    ],
)
def test_the_newest_or_else_the_first_known_protocol_is_chosen(
    offered: list[str], commands: str | None, forwards: str | None
) -> None:
    """Version 5 comes before all others, whatever the order; none offered is one of its own."""
    for known, expected in ((COMMANDS, commands), (FORWARDS, forwards)):
        chosen = choose_protocol(offered, known)
        assert (chosen.name if chosen else None) == expected


@pytest.mark.parametrize(
    ("protocol", "message", "piece"),
    [
        (V4, {"bytes": b"\x00ls\n"}, Piece(0, b"ls\n")),
        (V4, {"text": "\x00ls\n"}, Piece(0, b"ls\n")),
        (V4, {"bytes": None, "text": "\x04{}"}, Piece(4, b"{}")),
        (V4, {"bytes": b"\x00"}, Piece(0, b"")),
        (V4, {"bytes": b""}, None),
        (V5, {"bytes": b"\xff\x00"}, Piece(255, b"\x00")),
        (BASE64, {"text": "0bHMK"}, Piece(0, b"ls\n")),
        (BASE64, {"bytes": b"0bHMK"}, Piece(0, b"ls\n")),
        (BASE64, {"text": "0***"}, None),
    ],
)
def test_a_message_begins_with_its_channel(
    protocol: Any, message: dict[str, Any], piece: Piece | None
) -> None:
    """A byte, or a digit before base64; text and binary messages are taken alike."""
    assert decode_piece(protocol, message) == piece


def test_messages_are_written_as_the_protocol_has_them() -> None:
    """Bytes, or a digit and base64."""
    assert encode_piece(V5, 1, b"hi") == {"type": "websocket.send", "bytes": b"\x01hi"}
    assert encode_piece(BASE64, 2, b"ls\n") == {"type": "websocket.send", "text": "2bHMK"}


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b'{"Width":80,"Height":24}', (80, 24)),
        (b'{"Width":0,"Height":24}', None),
        (b'{"Width":80,"Height":70000}', None),
        (b'{"Width":80}', None),
        (b"[]", None),
        (b"nonsense", None),
    ],
)
def test_a_terminals_size_is_columns_and_rows(data: bytes, size: tuple[int, int] | None) -> None:
    """What is no size, or one without extent, changes nothing."""
    assert parse_size(data) == size


def test_an_exit_code_is_a_cause() -> None:
    """Clients read the code from ``details.causes``; 0 is success without any."""
    assert exit_status(0, "[true]") == {"metadata": {}, "status": "Success"}
    assert exit_status(3, "[sh -c exit 3]") == {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: "
        "error executing command [sh -c exit 3], exit code 3",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
    }
