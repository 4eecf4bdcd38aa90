"""SPDY's header blocks: names and values, compressed with a dictionary that both sides know.

Source: SPDY Protocol draft 3.1, sections 2.6.10 and 2.6.10.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

BLOCK_LIMIT: Final = 64 * 1024
"""Bytes of a block once it is decompressed: those of kubectl have some dozens."""

_WORDS: Final = """options head post put delete trace accept accept-charset accept-encoding
accept-language accept-ranges age allow authorization cache-control connection content-base
content-encoding content-language content-length content-location content-md5 content-range
content-type date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade
user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public
set-cookie keep-alive origin"""
_CODES: Final = """100 101 201 202 205 206 300 302 303 304 305 306 307 402 405 406 407 408 409 410
411 412 413 414 415 416 417 502 504 505"""
_TEXTS: Final = (
    "203 Non-Authoritative Information",
    "204 No Content",
    "301 Moved Permanently",
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "500 Internal Server Error",
    "501 Not Implemented",
    "503 Service Unavailable",
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec ",
    "00:00:00 ",
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT",
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,",
    "text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch",
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0.",
)
_LENGTH: Final = struct.Struct(">I")


def _dictionary() -> bytes:
    """Put the standard's dictionary together: words behind their lengths, then loose text."""
    words = (word.replace("_", " ").encode() for word in _WORDS.split())
    known = b"".join(_LENGTH.pack(len(word)) + word for word in words)
    return known + "".join((*_CODES.split(), *_TEXTS)).encode()


DICTIONARY: Final = _dictionary()


class HeaderError(ValueError):
    """A block is not what it should be; the connection can't go on, its compression is lost."""


class HeaderReader:
    """Reads the blocks of one direction; each depends on those before."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Return a block's headers, names in lower case.

        Raises:
            HeaderError: It is malformed or too large.
        """
        try:
            plain = self._decompressor.decompress(block, BLOCK_LIMIT)
        except zlib.error as error:
            raise HeaderError(
                f"a header block is not compressed as it should be: {error}"
            ) from error
        if self._decompressor.unconsumed_tail:
            raise HeaderError(f"a header block is over {BLOCK_LIMIT} bytes")
        try:
            return dict(_parse(plain))
        except (struct.error, UnicodeDecodeError) as error:
            raise HeaderError(f"a header block is malformed: {error}") from error


def _parse(plain: bytes) -> list[tuple[str, str]]:
    (count,) = _LENGTH.unpack_from(plain, 0)
    at = _LENGTH.size
    pairs = []
    for _ in range(min(count, BLOCK_LIMIT)):
        texts = []
        for _ in range(2):
            (length,) = _LENGTH.unpack_from(plain, at)
            at += _LENGTH.size
            if at + length > len(plain):
                raise HeaderError("a header block ends within a header")
            texts.append(plain[at : at + length].decode("latin-1"))
            at += length
        pairs.append((texts[0].lower(), texts[1]))
    return pairs


class HeaderWriter:
    """Writes the blocks of one direction."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: Mapping[str, str]) -> bytes:
        """Return the block of ``headers``."""
        plain = _LENGTH.pack(len(headers))
        for name, value in headers.items():
            for text in (name.lower(), value):
                raw = text.encode("latin-1")
                plain += _LENGTH.pack(len(raw)) + raw
        return self._compressor.compress(plain) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
