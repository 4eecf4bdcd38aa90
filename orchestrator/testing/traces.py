"""Failed tests' tracebacks without the library's own frames, which tell a user nothing."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from orchestrator import ClusterError, StatusError

if TYPE_CHECKING:
    import pytest

_ROOT: Final = Path(__file__).resolve().parents[2]
_OURS: Final = tuple(f"{_ROOT / name}/" for name in ("orchestrator", "actors"))
_BETWEEN: Final = (
    f"{Path(asyncio.__file__).parent}/",
    f"{Path(concurrent.futures.__file__).parent}/",
    contextlib.__file__,
)
"""What the library calls itself through, on the thread of a synchronous cluster say."""


def shorten(error: pytest.ExceptionInfo[BaseException], root: Path) -> None:
    """Leave out the library's frames where it tells of something, or was only passed through.

    Errors that it does not raise to tell of something may be its own faults, and keep them all.

    Args:
        error: Whose frames.
        root: Where the tests are; the library's own tests are left alone.
    """
    frames = error.traceback
    told = isinstance(error.value, ClusterError | StatusError | TimeoutError | ValueError)
    if root == _ROOT or not frames or (_is_in(_OURS, frames[-1].path) and not told):
        return
    kept = [
        frame for frame in _frames(error.tb) if not _is_in((*_OURS, *_BETWEEN), _file_of(frame))
    ]
    shown: TracebackType | None = None
    for frame in reversed(kept):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    if shown is not None:
        error.traceback = type(frames)(shown)


def _frames(found: TracebackType | None) -> Iterator[TracebackType]:
    while found is not None:
        yield found
        found = found.tb_next


def _file_of(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename


def _is_in(places: tuple[str, ...], path: Path | str) -> bool:
    return str(path).startswith(places)
