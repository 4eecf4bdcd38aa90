"""Dynamic admission: what policies and webhooks are asked, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, Protocol, TypeAlias

from orchestrator.records import dataclass
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.users import CONTROLLER_MANAGER, User

AdmissionOperation: TypeAlias = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who writes, and how; the part of `Attributes` that is known before the object is.

    Attributes:
        user: Who.
        options: The request's options as an object of ``meta.k8s.io/v1`` (``CreateOptions``, ...).
        warnings: Takes texts for the answer's ``Warning`` headers.
    """

    user: User = CONTROLLER_MANAGER
    options: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """One request as admission sees it; ``admission.k8s.io/v1`` says the same in JSON.

    Attributes:
        operation: What is done.
        kind: Of the resource that the path names, in the version of the request. The object of a
            subresource may be of another one (``Scale``, ``Eviction``, ``Binding``).
        subresource: ``status``, ``scale``; empty for the object itself.
        namespace: Empty for cluster-scoped kinds; a namespace's own name for a namespace.
        name: Empty while it has yet to be generated.
        object: In the version of ``kind``, with its defaults; None for DELETE.
        old: The object before; None for CREATE and CONNECT.
        dry_run: Nothing will be written: hooks with side effects must not be asked.
        caller: Who writes.
    """

    operation: AdmissionOperation
    kind: Kind
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    object: Object | None = None
    old: Object | None = None
    dry_run: bool = False
    caller: Caller = field(default_factory=Caller)


class Hook(Protocol):
    """One mechanism of dynamic admission, such as all mutating webhooks together.

    Hooks run in the request's own task and may take their time, within deadlines of their own.
    """

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell quickly whether any configuration may be about such requests.

        It is asked before every write, so it must cost next to nothing when nothing is
        configured. Saying yes needlessly costs only time.
        """

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Return the object as it should become; the same one for no change.

        Raises:
            StatusError: The request is refused.
        """

    async def validate(self, attributes: Attributes) -> None:
        """Look at what is going to be written.

        Raises:
            StatusError: The request is refused.
        """
