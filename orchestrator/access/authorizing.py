"""Decisions about requests, by the roles and bindings in the store.

Rules: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.resources.objects import Key, Object
from orchestrator.resources.rbac import Attributes, Rule, allows
from orchestrator.resources.users import User
from orchestrator.store import Expired, Follower, ObjectEvent
from orchestrator.store.reading import Reads

GROUP: Final = "rbac.authorization.k8s.io"
CLUSTER_ROLES: Final = f"clusterroles.{GROUP}"
ROLES: Final = f"roles.{GROUP}"
CLUSTER_BINDINGS: Final = f"clusterrolebindings.{GROUP}"
BINDINGS: Final = f"rolebindings.{GROUP}"
MASTERS: Final = "system:masters"
"""The group that may do everything, whatever roles there are."""

_DECISIONS: Final = 8192
"""Decisions remembered; some hundred bytes each."""

_EVERYTHING: Final[list[Rule]] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]


class Decision(NamedTuple):
    """What an authorizer thinks.

    Attributes:
        allowed: Whether it may be done.
        reason: Which binding allows it, or what was wrong with some; often empty.
    """

    allowed: bool
    reason: str = ""


class Held(NamedTuple):
    """What a user may do in one namespace.

    Attributes:
        rules: In the order in which bindings give them.
        error: Bindings that lead nowhere; empty when all is known.
    """

    rules: list[Rule]
    error: str = ""


class Authorizer(Protocol):
    """Decides whether a user may do something; synchronous, microseconds."""

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Decide about one request."""

    def held(self, user: User, namespace: str) -> Held:
        """Return all that a user may do in a namespace; empty: only cluster-wide."""

    def close(self) -> None:
        """Let go of whatever it follows; a later question begins anew."""


class AlwaysAllow:
    """Upstream's ``--authorization-mode=AlwaysAllow``."""

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Allow."""
        del user, asked  # whatever it is
        return Decision(True)

    def held(self, user: User, namespace: str) -> Held:
        """Return rules for everything."""
        del user, namespace
        return Held(_EVERYTHING)

    def close(self) -> None:
        """Follow nothing, as ever."""


ALWAYS_ALLOW: Final = AlwaysAllow()


class _Grant(NamedTuple):
    """One subject's entry in one binding."""

    role: Key
    why: str


_Index = dict[str, dict[str, _Grant]]
"""Subject → name of the binding → grant."""


class RbacAuthorizer:
    """Roles and bindings, indexed by subject.

    The index is built at the first question and follows the store from then on: a change only
    marks it, the next question takes in what has changed. Decisions are remembered until then.
    """

    def __init__(self, store: Reads) -> None:
        """Read and follow ``store``, which must belong to this event loop."""
        self._store = store
        self._follower: Follower | None = None
        self._stale = True
        self._cluster: _Index = {}
        self._inside: dict[str, _Index] = {}
        self._subjects: dict[Key, tuple[str, ...]] = {}
        self._decisions: dict[tuple[str, tuple[str, ...], Attributes], Decision] = {}

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Decide about one request."""
        if MASTERS in user.groups:
            return Decision(True)
        if self._stale:
            self._catch_up()
        question = (user.name, user.groups, asked)
        decision = self._decisions.get(question)
        if decision is None:
            if len(self._decisions) >= _DECISIONS:
                self._decisions.clear()
            decision = self._decisions[question] = self._decide(user, asked)
        return decision

    def held(self, user: User, namespace: str) -> Held:
        """Return all that a user may do in a namespace; empty: only cluster-wide."""
        if self._stale:
            self._catch_up()
        rules: list[Rule] = []
        missing: list[str] = []
        for grant in self._grants(user, namespace):
            role = self._store.get(*grant.role)
            if role is None:
                missing.append(_not_found(grant.role))
            else:
                rules += role.get("rules") or ()
        if MASTERS in user.groups and not rules:
            rules = _EVERYTHING
        return Held(rules, _joined(missing))

    def close(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None
        self._stale = True

    def _decide(self, user: User, asked: Attributes) -> Decision:
        missing: list[str] = []
        for grant in self._grants(user, asked.namespace):
            role = self._store.get(*grant.role)
            if role is None:
                missing.append(_not_found(grant.role))
            elif allows(role.get("rules") or (), asked):
                return Decision(True, f"RBAC: allowed by {grant.why}")
        return Decision(False, f"RBAC: {_joined(missing)}" if missing else "")

    def _grants(self, user: User, namespace: str) -> Iterator[_Grant]:
        """Yield what bindings give to the user or a group of theirs, cluster-wide ones first."""
        subjects = [f"User/{user.name}", *(f"Group/{group}" for group in user.groups)]
        indexes = [self._cluster]
        if namespace and namespace in self._inside:
            indexes.append(self._inside[namespace])
        for index in indexes:
            for subject in subjects:
                if subject in index:
                    yield from index[subject].values()

    # ---- the index

    def _catch_up(self) -> None:
        self._stale = False
        self._decisions.clear()
        if self._follower is None:
            self._relist()
            return
        try:
            events = self._follower.take()
        except Expired:
            self._relist()
            return
        for event in events:
            self._observe(event)

    def _relist(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self._cluster, self._inside, self._subjects = {}, {}, {}
        followed = (CLUSTER_ROLES, ROLES, CLUSTER_BINDINGS, BINDINGS)
        self._follower = self._store.follow(followed, self._mark)
        for resource in (CLUSTER_BINDINGS, BINDINGS):
            for binding in self._store.list(resource):
                metadata = binding["metadata"]
                key = Key(resource, metadata.get("namespace") or "", metadata["name"])
                self._add(key, binding)

    def _mark(self) -> None:
        self._stale = True

    def _observe(self, event: ObjectEvent) -> None:
        key = event.key
        if key.resource not in {CLUSTER_BINDINGS, BINDINGS}:
            return
        index = self._index(key.namespace)
        for subject in self._subjects.pop(key, ()):
            entries = index[subject]
            entries.pop(key.name, None)
            if not entries:
                del index[subject]
        if key.namespace and not index:
            del self._inside[key.namespace]
        if event.type != "DELETED":
            self._add(key, event.object)

    def _index(self, namespace: str) -> _Index:
        return self._inside.setdefault(namespace, {}) if namespace else self._cluster

    def _add(self, key: Key, binding: Object) -> None:
        index = self._index(key.namespace)
        role = _role_of(key.namespace, binding)
        added: dict[str, None] = {}
        for subject, text in _subjects(binding.get("subjects") or (), key.namespace):
            if subject in added:
                continue
            added[subject] = None
            index.setdefault(subject, {})[key.name] = _Grant(role, _why(key, binding, text))
        self._subjects[key] = tuple(added)


def _role_of(namespace: str, binding: Object) -> Key:
    reference = binding.get("roleRef") or {}
    if reference.get("kind") == "Role":
        return Key(ROLES, namespace, reference.get("name") or "")
    return Key(CLUSTER_ROLES, "", reference.get("name") or "")


def _subjects(subjects: Iterable[dict[str, Any]], namespace: str) -> Iterator[tuple[str, str]]:
    """Yield the index's name of each subject, and upstream's description."""
    for subject in subjects:
        kind, name = subject.get("kind") or "", subject.get("name") or ""
        if kind == "ServiceAccount":
            place = subject.get("namespace") or namespace
            if place:
                yield f"User/system:serviceaccount:{place}:{name}", f'{kind} "{name}/{place}"'
        elif kind in {"User", "Group"}:
            yield f"{kind}/{name}", f'{kind} "{name}"'


def _why(key: Key, binding: Object, subject: str) -> str:
    reference = binding.get("roleRef") or {}
    kind, name = "ClusterRoleBinding", key.name
    if key.namespace:
        kind, name = "RoleBinding", f"{key.name}/{key.namespace}"
    return f'{kind} "{name}" of {reference.get("kind")} "{reference.get("name")}" to {subject}'


def _not_found(role: Key) -> str:
    kind = "role" if role.resource == ROLES else "clusterrole"
    return f'{kind}.{GROUP} "{role.name}" not found'


def _joined(texts: Iterable[str]) -> str:
    """Write errors as upstream's aggregate does: one alone, several in brackets, each once."""
    found = list(dict.fromkeys(texts))
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""
