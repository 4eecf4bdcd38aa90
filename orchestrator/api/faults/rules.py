"""What a fault is: which requests it concerns, which of those it strikes, and how. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, Self, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object

VERBS: Final = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "apply",
    "delete",
    "deletecollection",
)
"""What requests do; ``apply`` is a patch that applies."""

GROUPS: Final = {
    "read": frozenset({"get", "list", "watch"}),
    "write": frozenset({"create", "update", "patch", "delete", "deletecollection"}),
}
"""Words for several verbs."""

Loss: TypeAlias = Literal["reset", "timeout-after-write", "reset-after-write"]
"""How an answer is lost: the connection is reset before the request is looked at, or the request
is carried out and answered with 504, or with a reset."""

LOSSES: Final[tuple[Loss, ...]] = ("reset", "timeout-after-write", "reset-after-write")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request as faults see it.

    Attributes:
        verb: One of `VERBS`; another HTTP method's name where no resource is asked for.
        group: API group, empty for core.
        resource: Plural name; empty for paths such as ``/version``.
        subresource: ``status``, ``eviction`` and so on; empty for objects themselves.
        namespace: Empty for all, and for kinds without.
        name: Of the object; of a create, the one in its body, or what its name is generated from.
        path: As in the URL.
        user: Who asks; empty where no active fault needs it, or the credentials are bad.
        user_agent: What the client says it is.
        body: What was sent, where a fault looks at it and it is an object.
        inside: Whether the client is `Cluster`'s own, which needs no socket.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    user: str = ""
    user_agent: str = ""
    body: Object | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which requests a fault concerns; what is not given holds for all.

    Attributes:
        verbs: Some of `VERBS`.
        resources: Groups and plural names.
        subresource: ``*`` for all of them, beside the object itself; empty for the object only.
        namespace: A pattern with ``*``, ``?`` and ``[...]``.
        name: A pattern.
        user: A pattern.
        user_agent: A pattern.
        where: A function of the request that says yes.
    """

    verbs: frozenset[str] = frozenset()
    resources: frozenset[tuple[str, str]] = frozenset()
    subresource: str = "*"
    namespace: str | None = None
    name: str | None = None
    user: str | None = None
    user_agent: str | None = None
    where: Callable[[ApiRequest], Any] | None = None

    @property
    def looks_at_body(self) -> bool:
        """Whether it takes more to decide than a request's head."""
        return self.where is not None or self.name is not None

    @property
    def looks_at_user(self) -> bool:
        """Whether it has to be known who asks."""
        return self.where is not None or self.user is not None

    def matches(self, request: ApiRequest) -> bool:
        """Tell whether a request is concerned."""
        verb = request.verb
        if (
            self.verbs
            and verb not in self.verbs
            and not (verb == "apply" and "patch" in self.verbs)
        ):
            return False
        if self.resources and (request.group, request.resource) not in self.resources:
            return False
        if self.subresource not in ("*", request.subresource):
            return False
        for pattern, value in (
            (self.namespace, request.namespace),
            (self.name, request.name),
            (self.user, request.user),
            (self.user_agent, request.user_agent),
        ):
            if pattern is not None and not fnmatchcase(value, pattern):
                return False
        return self.where is None or bool(self.where(request))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which of the requests concerned are struck.

    Attributes:
        times: At most so many; None for all.
        after: The first so many get through.
        every: Of the others each n-th.
        probability: Of those, so many of one, by chance.
    """

    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times={self.times}: a fault strikes once at least, or leave it out")
        if self.after < 0:
            raise ValueError(f"after={self.after}: how many requests get through first, 0 or more")
        if self.every < 1:
            raise ValueError(f"every={self.every}: each n-th request is struck, n from 1 on")
        if not 0 < self.probability <= 1:
            raise ValueError(f"probability={self.probability:g}: above 0, and 1 at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What becomes of a request that is struck.

    Attributes:
        refusal: Makes the answer in place of the API's; None where there is none.
        loss: How the answer is lost.
        latency: From and to how many seconds it takes longer; the client's own seconds, which are
            the cluster's for `Cluster`'s client.
        drop_watch: Whether watches are cut: the connection ends in the middle.
        stale_watch: Seconds of the cluster's time for which watches tell nothing, infinity for
            until the fault stops; 0 for not at all.
        delay_watch: Seconds of the cluster's time by which watches tell everything later.
        events: Of watches that are cut or told that they expired, so many events get through.
    """

    refusal: Callable[[ApiRequest], StatusError] | None = None
    loss: Loss | None = None
    latency: tuple[float, float] = (0.0, 0.0)
    drop_watch: bool = False
    stale_watch: float = 0.0
    delay_watch: float = 0.0
    events: int = 0

    @property
    def is_of_watches(self) -> bool:
        """Whether it means watches that go on, and those only."""
        return bool(self.drop_watch or self.stale_watch or self.delay_watch or self.events)


class ApiFault:
    """One fault: inert until it is started, and after it is stopped.

    Use it as a context manager, or call `start` and `stop`.

    Attributes:
        hits: How many requests and watches it has struck.
        seen: How many it concerned.
        description: What it is, in a line.
    """

    def __init__(
        self,
        matching: Matching,
        schedule: Schedule,
        effect: Effect,
        description: str,
        switch: Callable[[ApiFault, bool], None],
    ) -> None:
        """Made by `Cluster.faults`; ``switch`` puts it into force."""
        self.matching: Final = matching
        self.schedule: Final = schedule
        self.effect: Final = effect
        self.description: Final = description
        self.hits = 0
        self.seen = 0
        self._switch = switch

    def start(self) -> Self:
        """Put it into force; returns itself. A fault that is started again counts on."""
        self._switch(self, True)
        return self

    def stop(self) -> None:
        """Take it out of force: watches that were held back are told everything now."""
        self._switch(self, False)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{self.description}; struck {self.hits} of {self.seen}>"

    def strikes(self, request: ApiRequest, chance: random.Random) -> bool:
        """Tell whether it strikes a request, and count it."""
        if not self.matching.matches(request):
            return False
        schedule = self.schedule
        self.seen += 1
        turn = self.seen - schedule.after
        if turn <= 0 or turn % schedule.every:
            return False
        if schedule.times is not None and self.hits >= schedule.times:
            return False
        if schedule.probability < 1 and chance.random() >= schedule.probability:
            return False
        self.hits += 1
        return True
