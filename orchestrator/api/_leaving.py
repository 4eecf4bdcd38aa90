"""Whether a client has left a connection that nobody reads from for now."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

_ESTABLISHED: Final = 1


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Ask the kernel: the loop hears of an end only where it reads."""
    if transport.is_closing():
        return True
    connection = transport.get_extra_info("socket")
    if connection is None or not hasattr(socket, "TCP_INFO"):
        return False
    try:
        state: int = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except (OSError, ValueError):  # it is closed
        return True
    return state != _ESTABLISHED
