"""Packages that load what they export when it is first asked for.

Half of the time that a cluster took to be imported went into modules that many tests never need:
controllers of kinds that they don't have, the scheduler before there is a pod. A package that
exports what such modules define names it under ``TYPE_CHECKING``, for type checkers and for the
contracts of the layers, and gets its ``__getattr__`` from `exports`. Who uses it writes
``package.Name`` where it is used, or imports it in the function that uses it: a ``from package
import Name`` at the top of a module loads it with that module.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def exports(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Args:
        package: Its name.
        homes: From each name that it exports to the module that defines it.
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(load(home), name)
        setattr(sys.modules[package], name, found)  # the next one finds it without this function
        return found

    return find


def load(module: str) -> Any:
    """Load a module without the cyclic collector, and leave that as it was.

    Classes and functions come by the ten thousand and stay; walking them again and again while
    they come finds nothing and takes a tenth of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if collects:
            gc.enable()
