"""What plugins that only look are shown; they change nothing and refuse with a `StatusError`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store.admission.hooks import Caller


class Examined(NamedTuple):
    """A write that is otherwise valid.

    Attributes:
        kind: Of the resource.
        object: As it will be written.
        old: As it was; None for a creation.
        subresource: What is written; empty for the object itself.
        caller: Who writes, and takes warnings.
        reader: Of the committed state.
    """

    kind: Kind
    object: Object
    old: Object | None
    subresource: str
    caller: Caller
    reader: Any


class Check(NamedTuple):
    """One plugin.

    Attributes:
        name: Upstream's.
        resources: What it looks at.
        apply: Refuses with a `StatusError`.
        reads: Resources that it looks up with the reader.
    """

    name: str
    resources: tuple[str, ...]
    apply: Callable[[Examined], None]
    reads: tuple[str, ...] = ()
