"""The ways in for programs and libraries: kubeconfigs, for the administrator and for others."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.access.accounts import split_user_name
from orchestrator.api.gate import SHOWN
from orchestrator.embedded.arguments import text_of, texts_of
from orchestrator.embedded.errors import ClusterError
from orchestrator.resources.users import User

if TYPE_CHECKING:
    from orchestrator.api.application import ApiApplication
    from orchestrator.api.serving import ServedCluster
    from orchestrator.cluster import BareCluster

_TOKEN_SECONDS: Final = 100 * 365 * 86_400
"""Life of an account's token: tests let years pass."""

_IN_CLUSTER: Final = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
"""By these, libraries take themselves to be in a pod."""


_LOOKED_ONCE: Final = tuple(
    f"{library}.config{module}"
    for library in ("kubernetes", "kubernetes_asyncio")
    for module in ("", ".kube_config")
)
"""Modules that read ``KUBECONFIG`` when they are imported, into `_DEFAULT`."""

_ACCOUNT: Final = "system:serviceaccount:"
_DEFAULT: Final = "KUBE_CONFIG_DEFAULT_LOCATION"


class Doors:
    """Makes kubeconfigs of one cluster that listens on a port, and tokens of any."""

    def __init__(
        self, core: BareCluster, served: ServedCluster, app: Callable[[], ApiApplication]
    ) -> None:
        """Made by `Cluster`."""
        self._core = core
        self._served = served
        self._app = app
        self._numbers = itertools.count(1)
        self._tokens: dict[tuple[str, tuple[str, ...]], str] = {}

    def data(
        self, user: str | None = None, groups: tuple[str, ...] = (), namespace: str = ""
    ) -> dict[str, Any]:
        """Return a kubeconfig as data; the administrator's unless a user is named."""
        token = None if user is None else self.token(user, groups)
        found = self._served.kubeconfig(token, namespace)
        place = found["clusters"][0]["cluster"]
        if token is not None and place["server"].startswith("http:"):
            place["server"] += f"{SHOWN}{token}"
        return found

    def write(self, data: Mapping[str, Any]) -> Path:
        """Write a kubeconfig into the cluster's directory, with which it goes; JSON is YAML too."""
        path = self._core.directory / f"kubeconfig-{next(self._numbers)}"
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))
        return path

    def token(self, user: str, groups: tuple[str, ...]) -> str:
        """Return a token of a user, the same one each time, or a new one of a ServiceAccount.

        Raises:
            ClusterError: There is no such ServiceAccount.
        """
        text_of(user, "a user")
        groups = texts_of(groups, "groups")
        account = split_user_name(user)
        if account is None and user.startswith(_ACCOUNT):
            raise ClusterError(f"{user!r} names no ServiceAccount: write {_ACCOUNT}NAMESPACE:NAME")
        if account is not None:
            return self._account_token(*account, groups)
        key = (user, groups)
        if key not in self._tokens:
            token = self._tokens[key] = secrets.token_urlsafe(24)
            self._app().add_token(token, User(user, groups=(*groups, "system:authenticated")))
        return self._tokens[key]

    def _account_token(self, namespace: str, name: str, groups: tuple[str, ...]) -> str:
        if groups:
            raise ClusterError("a ServiceAccount is in its own groups: leave groups out")
        account = self._core.store.get("serviceaccounts", namespace, name)
        if account is None:
            raise ClusterError(
                f"there is no ServiceAccount {name} in the namespace {namespace}: apply it first"
            )
        made = self._core.accounts.issue(account, str(uuid.uuid4()), seconds=_TOKEN_SECONDS)
        return made.token


def environment_with(kubeconfig: Path, cache: Path) -> dict[str, str]:
    """Return this process's environment, in which libraries and programs find a kubeconfig.

    Args:
        kubeconfig: Which.
        cache: Where kubectl keeps what it learns of kinds: ports are taken again and again, by
            clusters that have others.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _IN_CLUSTER}
    return {**inherited, "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(cache)}


@contextlib.contextmanager
def entered(environment: Mapping[str, str]) -> Iterator[None]:
    """Make this process's environment another one for the block; libraries are made to look."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        with _reminded(environment["KUBECONFIG"]):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _reminded(kubeconfig: str) -> Iterator[None]:
    """Let libraries that looked at the environment once, on import, see what is there now."""
    found = [sys.modules[name] for name in _LOOKED_ONCE if name in sys.modules]
    before = [(module, getattr(module, _DEFAULT, None)) for module in found]
    for module in found:
        setattr(module, _DEFAULT, kubeconfig)
    _forget_clients()
    try:
        yield
    finally:
        for module, value in before:
            setattr(module, _DEFAULT, value)
        _forget_clients()


def _forget_clients() -> None:
    """Have kr8s forget the client that it hands to whoever names no cluster, as its tests do."""
    api = getattr(sys.modules.get("kr8s._api"), "Api", None)
    known = getattr(api, "_instances", None)
    if isinstance(known, dict):
        known.clear()
