"""SPDY's frames and header blocks, without a connection.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
"""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.streaming.spdy.frames import (
    Data,
    Frame,
    FrameError,
    FrameReader,
    FrameWriter,
    Pinged,
    StreamBegun,
    StreamReplied,
    StreamReset,
    WentAway,
    data_frame,
    goaway_frame,
    ping_frame,
    reset_frame,
)
from orchestrator.api.streaming.spdy.headers import (
    BLOCK_LIMIT,
    DICTIONARY,
    HeaderError,
    HeaderReader,
    HeaderWriter,
)

HEADERS = {"streamtype": "data", "port": "8080", "requestid": "0"}


def read(data: bytes) -> list[Frame]:
    """All frames of some bytes."""
    return list(FrameReader().feed(data))


def test_the_dictionary_is_the_standards() -> None:
    """Its length and checksum are those that every implementation has."""
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (data_frame(1, b"hello"), [Data(1, b"hello")]),
        (data_frame(3, b"", fin=True), [Data(3, b"", fin=True)]),
        (data_frame(3, b"x", fin=True), [Data(3, b"x", fin=True)]),
        (reset_frame(5, 3), [StreamReset(5, 3)]),
        (ping_frame(7), [Pinged(7)]),
        (goaway_frame(9), [WentAway(9)]),
        (bytes.fromhex("80030004000000040000000080030009000000080000000100000001"), []),
        (ping_frame(5) + data_frame(1, b"x"), [Pinged(5), Data(1, b"x")]),
        (bytes.fromhex("0000000101000001ff"), [Data(1, b"\xff", fin=True)]),
    ],
    ids=[
        "data",
        "end",
        "last data",
        "reset",
        "ping",
        "goaway",
        "settings and window",
        "two",
        "bytes",
    ],
)
def test_frames_are_read(data: bytes, frames: list[Frame]) -> None:
    """Whole, and byte by byte, but for data frames, whose parts are passed on."""
    assert read(data) == frames
    reader = FrameReader()
    found = [frame for byte in data for frame in reader.feed(bytes((byte,)))]
    joined = b"".join(frame.data for frame in found if isinstance(frame, Data))
    assert joined == b"".join(frame.data for frame in frames if isinstance(frame, Data))
    assert [type(frame) for frame in found if not isinstance(frame, Data)] == [
        type(frame) for frame in frames if not isinstance(frame, Data)
    ]
    assert [frame for frame in found if isinstance(frame, Data) and frame.fin][-1:] == [
        Data(frame.stream, frame.data[-1:], fin=True)
        for frame in frames
        if isinstance(frame, Data) and frame.fin
    ]


def test_a_beginning_has_headers() -> None:
    """Each block depends on those before: compression goes on over the connection."""
    writer, reader = FrameWriter(), FrameReader()
    for number in (1, 3, 5):
        assert list(reader.feed(writer.begin(number, HEADERS))) == [StreamBegun(number, HEADERS)]
    assert list(reader.feed(writer.reply(1))) == [StreamReplied(1, {})]


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("8002000600000004") + b"\0\0\0\1",
        bytes.fromhex("8003000600ffffff"),
        bytes.fromhex("8003000600000002") + b"\0\0",
        bytes.fromhex("800300010000000c") + b"\0" * 12,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".replace(b"G", b"\x80", 1),
    ],
    ids=["version", "length", "short", "headers", "http"],
)
def test_what_is_no_spdy_is_an_error(data: bytes) -> None:
    """The connection can only end."""
    with pytest.raises((FrameError, HeaderError)):
        read(data)


def test_a_block_has_a_largest_size() -> None:
    """A few bytes must not become gigabytes."""
    compressor = zlib.compressobj(zdict=DICTIONARY)
    bomb = compressor.compress(b"\0" * (BLOCK_LIMIT * 100)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(HeaderError, match="is over"):
        HeaderReader().read(bomb)
    compressor = zlib.compressobj(zdict=DICTIONARY)
    lying = struct.pack(">III", 1, 1 << 30, 0)
    with pytest.raises(HeaderError, match="ends within"):
        HeaderReader().read(compressor.compress(lying) + compressor.flush(zlib.Z_SYNC_FLUSH))


@settings(max_examples=30)
@given(
    st.lists(
        st.dictionaries(
            st.text("abcxyz-", min_size=1), st.text(st.characters(max_codepoint=255)), max_size=5
        ),
        max_size=5,
    )
)
def test_headers_survive_the_way(blocks: list[dict[str, str]]) -> None:
    """What one side writes the other reads."""
    writer, reader = HeaderWriter(), HeaderReader()
    assert [reader.read(writer.write(block)) for block in blocks] == blocks


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"\x80\x03\x00\x01"])), max_size=8)
)
def test_no_bytes_do_more_than_end_the_connection(pieces: list[bytes]) -> None:
    """Whatever comes is read, waited for, or an error of the two kinds."""
    reader = FrameReader()
    try:
        for piece in pieces:
            list(reader.feed(piece))
    except (FrameError, HeaderError):
        return
