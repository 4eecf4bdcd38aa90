"""Code that reads the computer's clock, shown the cluster's instead.

A client library writes timestamps into objects and compares them later: when to retry, whether a
lease is over. On a loop of virtual time its timers move and those timestamps do not, unless both
are read off one clock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any


class _Kind(type):
    """Takes every datetime for an instance, as code asks that compares."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, dt.datetime)


@contextlib.contextmanager
def shown_to(packages: tuple[str, ...], now: Callable[[], float]) -> Iterator[None]:
    """Let loaded modules read another clock for the block.

    Only names in the modules themselves are replaced: ``datetime``, ``time`` and what was imported
    from them; default arguments and closures keep what they hold.

    Args:
        packages: Names of packages, with all modules in them, and of modules.
        now: The clock, in seconds since 1970.

    Raises:
        ValueError: Nothing of that name is loaded.
    """
    replaced: list[tuple[types.ModuleType, str, Any]] = []
    stand_ins = _stand_ins(now)
    try:
        for package in packages:
            modules = _modules_of(package)
            if not modules:
                raise ValueError(f"no module {package} is loaded: import it before the block")
            for module in modules:
                for name, value in list(vars(module).items()):
                    stand_in = stand_ins.get(id(value))
                    if stand_in is not None:
                        replaced.append((module, name, value))
                        setattr(module, name, stand_in)
        yield
    finally:
        for module, name, value in reversed(replaced):
            setattr(module, name, value)


def _modules_of(package: str) -> list[types.ModuleType]:
    return [
        module
        for name, module in sys.modules.items()
        if name == package or name.startswith(f"{package}.")
    ]


def _stand_ins(now: Callable[[], float]) -> dict[int, Any]:
    """Return what stands for what, by identity."""

    class Moment(dt.datetime, metaclass=_Kind):
        """A datetime whose present is the cluster's."""

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.fromtimestamp(now(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return dt.datetime.fromtimestamp(now(), dt.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    days = types.ModuleType(dt.__name__, dt.__doc__)
    vars(days).update(vars(dt) | {"datetime": Moment})
    seconds = types.ModuleType(time.__name__, time.__doc__)
    vars(seconds).update(vars(time) | {"time": now})
    return {id(dt): days, id(dt.datetime): Moment, id(time): seconds, id(time.time): now}
