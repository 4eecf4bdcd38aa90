"""Channels over a WebSocket: the subprotocols of ``exec``, ``attach`` and ``port-forward``.

A message begins with the number of its channel: a byte, or a digit where messages are text with
base64. Sources: k8s.io/apimachinery/pkg/util/httpstream/wsstream, k8s.io/kubelet
(remotecommand/websocket.go) and KEP-4006 for version 5, where 255 and a channel end that channel.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255

_ZERO: Final = ord("0")


class ChannelProtocol(NamedTuple):
    """A subprotocol.

    Attributes:
        name: As it is negotiated; empty where a client names none.
        text: Messages are a digit and base64 instead of a byte and bytes.
        status: The error channel ends with a ``Status`` as JSON; before, with a failure's text.
        closes: A client can end its input.
    """

    name: str
    text: bool = False
    status: bool = True
    closes: bool = False


V5: Final = ChannelProtocol("v5.channel.k8s.io", closes=True)
_ANY: Final = {
    protocol.name: protocol
    for protocol in (
        ChannelProtocol("", status=False),
        ChannelProtocol("channel.k8s.io", status=False),
        ChannelProtocol("base64.channel.k8s.io", text=True, status=False),
        ChannelProtocol("v4.channel.k8s.io"),
        ChannelProtocol("v4.base64.channel.k8s.io", text=True),
    )
}
COMMANDS: Final[Mapping[str, ChannelProtocol]] = {**_ANY, V5.name: V5}
"""Subprotocols of ``exec`` and ``attach``."""
FORWARDS: Final[Mapping[str, ChannelProtocol]] = {
    name: protocol for name, protocol in _ANY.items() if not name or name.startswith("v4.")
}
"""Subprotocols of ``port-forward``."""


class Piece(NamedTuple):
    """What a message says: bytes for a channel, or, on `CLOSE`, which channel ends."""

    channel: int
    data: bytes


def choose_protocol(
    offered: Sequence[str], known: Mapping[str, ChannelProtocol]
) -> ChannelProtocol | None:
    """Return the first known of the subprotocols offered, version 5 before all others.

    A client that offers none gets the nameless one; None where nothing fits.
    """
    if V5.name in offered and V5.name in known:
        return V5
    if not offered:
        return known.get("")
    return next((known[name] for name in offered if name and name in known), None)


def encode_piece(protocol: ChannelProtocol, channel: int, data: bytes) -> dict[str, Any]:
    """Return the ASGI message that carries ``data``."""
    if protocol.text:
        text = chr(_ZERO + channel) + base64.b64encode(data).decode()
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": bytes((channel,)) + data}


def decode_piece(protocol: ChannelProtocol, message: Mapping[str, Any]) -> Piece | None:
    """Read an ASGI message; None for one that says nothing: empty, or not as was agreed.

    Clients send text and binary messages alike, so the kind of message is not looked at.
    """
    data = message.get("bytes")
    if data is None:
        data = (message.get("text") or "").encode()
    if not data:
        return None
    channel, rest = data[0], bytes(data[1:])
    if not protocol.text:
        return Piece(channel, rest)
    try:
        return Piece(channel - _ZERO, base64.b64decode(rest, validate=True))
    except binascii.Error:
        return None
