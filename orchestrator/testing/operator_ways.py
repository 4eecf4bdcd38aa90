"""What a kopf operator is given before it runs in a test: its handlers, a login, the signals."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib.util
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from orchestrator.embedded import ClusterError

if TYPE_CHECKING:
    import kopf

LOGIN: Final[contextvars.ContextVar[Callable[..., Any] | None]] = contextvars.ContextVar(
    "orchestrator-login", default=None
)
"""How the operator that starts in this context gets in, where that is not by ``KUBECONFIG``."""

_WITH_LOGIN: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


@contextlib.contextmanager
def without_kubeconfig() -> Iterator[None]:
    """Hide the computer's own kubeconfig for the block, which may lead to somebody's cluster."""
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before


def login_by(socket: str, token: str | None) -> Callable[..., Any]:
    """Return a login handler that leads kopf to a Unix socket; without a token it may do all."""

    async def login(**_: Any) -> Any:
        import aiohttp
        import kopf

        headers = {"authorization": f"Bearer {token}"} if token else {}
        connector = aiohttp.UnixConnector(socket)
        session = aiohttp.ClientSession(connector=connector, headers=headers)
        return kopf.AiohttpSession(
            server="http://cluster", aiohttp_session=session, default_namespace="default"
        )

    return login


def add_login(registry: kopf.OperatorRegistry) -> None:
    """Let operators of a registry in, once for all; outside of tests it is kopf's usual login."""
    import kopf

    if registry in _WITH_LOGIN:
        return
    _WITH_LOGIN.add(registry)

    @kopf.on.login(registry=registry, id="orchestrator")
    async def login(**given: Any) -> Any:
        own = LOGIN.get()
        return kopf.login_with_kubeconfig(**given) if own is None else await own(**given)


@contextlib.contextmanager
def loaded(
    files: tuple[str | Path, ...], registry: kopf.OperatorRegistry
) -> Iterator[list[ModuleType]]:
    """Load files as modules of their own, whose handlers go to a registry."""
    import kopf

    places = [Path(file).resolve() for file in files]
    default, modules, path = kopf.get_default_registry(), dict(sys.modules), list(sys.path)
    sys.path[:0] = dict.fromkeys(str(place.parent) for place in places)
    kopf.set_default_registry(registry)
    names = [place.stem for place in places]
    try:
        for place, name in zip(places, names, strict=True):
            spec = importlib.util.spec_from_file_location(name, place)
            if spec is None or spec.loader is None or not place.is_file():
                raise ClusterError(f"there is no Python file {place} to load an operator from")
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        kopf.set_default_registry(default)
        yield [sys.modules[name] for name in names]
    finally:
        kopf.set_default_registry(default)
        sys.path[:] = path
        for name in names:
            if name in modules:
                sys.modules[name] = modules[name]
            else:
                sys.modules.pop(name, None)


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Have Ctrl-C do what it did: on the main thread kopf takes it for the operator's end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            # Loops without signals never had kopf's handler, nor has a test without a loop.
            with contextlib.suppress(NotImplementedError, RuntimeError):
                asyncio.get_running_loop().remove_signal_handler(number)
            if handler is not None:  # Python did not set it: nothing of kopf's came over it either
                signal.signal(number, handler)


class OthersThan:
    """All tasks but kopf's own."""

    def __init__(self, home: Path) -> None:
        self._home = f"{home}/"

    def __contains__(self, task: asyncio.Task[Any]) -> bool:
        code = getattr(task.get_coro(), "cr_code", None)
        return not str(getattr(code, "co_filename", "")).startswith(self._home)
