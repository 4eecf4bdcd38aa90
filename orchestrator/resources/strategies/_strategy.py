"""What the store asks of a kind, and the answers that hold for most kinds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from orchestrator.records import dataclass
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._sharing import put, without
from orchestrator.resources.users import User

Default = Callable[[Object], Object]
ValidateCreate = Callable[[Object], list[FieldError]]
ValidateUpdate = Callable[[Object, Object], list[FieldError]]
Prepare = Callable[[Object, Object], Object]
Warnings = Callable[[Object, Object | None], list[str]]
RequestedBy = Callable[[Object, User], Object]

META_FIELDS: Final = frozenset({"metadata.name", "metadata.namespace"})
_CARRIED: Final = ("uid", "creationTimestamp")
_SYSTEM: Final = ("deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_NOT_CHECKED: Final = frozenset({"status", "apiVersion", "kind"})
_FROM_NEW: Final = ("resourceVersion", "managedFields")
STATUS_METADATA: Final = ("labels", "annotations", "finalizers", "ownerReferences")
"""What of ``metadata`` a write to ``status`` changes as well, unless a kind says otherwise: most of
upstream's kinds keep nothing but the spec from it."""


@dataclass(frozen=True, slots=True)
class SubresourceRules:
    """What a write to a subresource that is a part of the object may change.

    Attributes:
        prepare: ``(new, old)``: the old object with what the subresource may change.
        validate: Every complaint about ``(prepared, old)``.
    """

    prepare: Prepare
    validate: ValidateUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """The rules of one kind. All functions are pure and return their argument when nothing changes.

    Attributes:
        default: Fills in what upstream defaults.
        validate_create: Every complaint about a new, defaulted object, metadata included.
        validate_update: Every complaint about ``(new, old)``.
        prepare_create: Resets what users may not set on creation; first status and generation.
        prepare_update: ``(new, old)``: keeps status and system metadata, counts the generation.
        prepare_status: ``(new, old)``: the object with ``new``'s status and ``old``'s rest.
        grace_period: Seconds of graceful deletion when the deleter names none.
        selectable_fields: Values for field selectors, always with ``metadata.name``/``namespace``.
        fields: Names that field selectors may use.
        create_on_update: Whether a PUT to a free name creates the object.
        has_generation: Whether ``metadata.generation`` is counted.
        validate_status: Every complaint about a write ``(new, old)`` to ``status``.
        subresources: Rules of further subresources that are a part of the object, by name.
        warnings: What a client is warned of that wrote ``(new, old)``, old being None for a new
            object; None for the many kinds that warn of nothing.
        requested_by: Notes in a new object which user made it.
    """

    default: Default
    validate_create: ValidateCreate
    validate_update: ValidateUpdate
    prepare_create: Default
    prepare_update: Prepare
    prepare_status: Prepare
    grace_period: Callable[[Object], int]
    selectable_fields: Callable[[Object], dict[str, str]]
    fields: frozenset[str] = META_FIELDS
    create_on_update: bool = False
    has_generation: bool = False
    validate_status: ValidateUpdate | None = None
    subresources: Mapping[str, SubresourceRules] = dataclasses.field(default_factory=dict)
    warnings: Warnings | None = None
    requested_by: RequestedBy | None = None

    def prepared(self, new: Object, old: Object, subresource: str) -> Object:
        """Return what a write to the object or to a part of it makes of ``new``."""
        if not subresource:
            return self.prepare_update(self.default(new), old)
        if subresource == "status":
            return self.prepare_status(new, old)
        rules = self.subresources.get(subresource)
        return self.default(new) if rules is None else rules.prepare(new, old)

    def problems(self, new: Object, old: Object, subresource: str) -> list[FieldError]:
        """Return every complaint about a prepared write to the object or to a part of it."""
        if subresource == "status" and self.validate_status is not None:
            return self.validate_status(new, old)
        rules = self.subresources.get(subresource)
        return (self.validate_update if rules is None else rules.validate)(new, old)


def unchanged(obj: Object) -> Object:
    """Default nothing."""
    return obj


def no_grace(_obj: Object) -> int:
    """Return the grace of most kinds: none."""
    return 0


def meta_fields(obj: Object) -> dict[str, str]:
    """Return the fields every kind can be selected by."""
    metadata = obj.get("metadata") or {}
    return {
        "metadata.name": metadata.get("name", ""),
        "metadata.namespace": metadata.get("namespace", ""),
    }


def field_values(*paths: str) -> Callable[[Object], dict[str, str]]:
    """Make a function that returns the values of scalar fields by path, besides the meta fields."""
    split = [(path, path.split(".")) for path in paths]

    def values(obj: Object) -> dict[str, str]:
        found = meta_fields(obj)
        for path, steps in split:
            value: Any = obj
            for step in steps:
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, bool):
                found[path] = "true" if value else "false"
            else:
                found[path] = "" if value is None else str(value)
        return found

    return values


def create_preparation(
    *, status: Object | None = None, drops_status: bool, generation: bool
) -> Default:
    """Make the ``prepare_create`` of a kind.

    Args:
        status: First status of every new object.
        drops_status: The kind has a status subresource: what users send as status is dropped.
        generation: Count generations, from 1.
    """

    def prepare(obj: Object) -> Object:
        if drops_status or status is not None:
            obj = put(obj, "status", status)
        metadata = obj.get("metadata") or {}
        numbered = put(metadata, "generation", 1 if generation else None)
        return obj if numbered is metadata else {**obj, "metadata": numbered}

    return prepare


def update_preparation(*, keeps_status: bool, generation: bool) -> Prepare:
    """Make the ``prepare_update`` of a kind; see `create_preparation` for the arguments."""

    def prepare(new: Object, old: Object) -> Object:
        if keeps_status:
            new = put(new, "status", old.get("status"))
        before = old.get("metadata") or {}
        metadata = new.get("metadata") or {}
        kept = metadata
        for field in _CARRIED:
            if not kept.get(field):
                kept = put(kept, field, before.get(field))
        for field in _SYSTEM:
            kept = put(kept, field, before.get(field))
        if generation and _desired(new) != _desired(old):
            kept = {**kept, "generation": (before.get("generation") or 0) + 1}
        return new if kept is metadata else {**new, "metadata": kept}

    return prepare


def status_preparation(
    *metadata_fields: str, status: Callable[[Any, Any], Any] | None = None
) -> Prepare:
    """Make the ``prepare_status`` of a kind, or of a subresource that is a part of the status.

    Args:
        metadata_fields: Fields of ``metadata`` that a write to ``status`` may change as well.
        status: Makes the new status out of the given one and the old one; the given by default.
    """
    taken = (*_FROM_NEW, *metadata_fields)

    def prepare(new: Object, old: Object) -> Object:
        metadata = old.get("metadata") or {}
        given = new.get("metadata") or {}
        kept = metadata
        for field in taken:
            if field in given or field in metadata_fields:
                kept = put(kept, field, given.get(field))
        wanted = new.get("status")
        if status is not None:
            wanted = status(wanted, old.get("status"))
        result = put(old, "status", wanted)
        return result if kept is metadata else {**result, "metadata": kept}

    return prepare


def _desired(obj: Object) -> Object:
    """Return what a generation counts the changes of: the spec, or all but metadata and status."""
    spec = obj.get("spec")
    if spec is not None:
        return {"spec": spec}
    return without(obj, "metadata", "status", "apiVersion", "kind")


def combined(*checks: ValidateCreate) -> ValidateCreate:
    """Join the complaints of several checks."""

    def check(obj: Object) -> list[FieldError]:
        return [problem for one in checks for problem in one(obj)]

    return check


def _when_desired_changed(check: ValidateCreate) -> ValidateUpdate:
    """Check the whole new object, unless only its status differs, which costs nothing then."""

    def check_change(new: Object, old: Object) -> list[FieldError]:
        kept = all(
            _kept(field, value, new.get(field))
            for field, value in old.items()
            if field not in _NOT_CHECKED
        )
        return [] if kept and new.keys() <= {*old, *_NOT_CHECKED} else check(new)

    return check_change


def _kept(field: str, before: Any, after: Any) -> bool:
    """Tell whether a part is as it was; who manages its fields does not count."""
    if after is before or after == before:
        return True
    if field != "metadata" or type(after) is not dict:
        return False
    return without(after, "managedFields") == without(before, "managedFields")


def combined_update(*checks: ValidateUpdate) -> ValidateUpdate:
    """Join the complaints of several checks of an update."""

    def check(new: Object, old: Object) -> list[FieldError]:
        return [problem for one in checks for problem in one(new, old)]

    return check


def build(
    *,
    has_status: bool,
    generation: bool = False,
    default: Default = unchanged,
    create_checks: Iterable[ValidateCreate] = (),
    creation_checks: Iterable[ValidateCreate] = (),
    update_checks: Iterable[ValidateUpdate],
    status_checks: Iterable[ValidateUpdate] | None = None,
    rechecks: bool = True,
    first_status: Object | None = None,
    drops_status: bool | None = None,
    prepare_create: Default | None = None,
    prepare_update: Prepare | None = None,
    prepare_status: Prepare | None = None,
    status_metadata: tuple[str, ...] = STATUS_METADATA,
    subresources: Mapping[str, SubresourceRules] | None = None,
    requested_by: RequestedBy | None = None,
    grace_period: Callable[[Object], int] = no_grace,
    fields: tuple[str, ...] = (),
    selectable_fields: Callable[[Object], dict[str, str]] | None = None,
    create_on_update: bool = False,
    warnings: Warnings | None = None,
) -> Strategy:
    """Put a strategy together from what differs from the generic one.

    ``drops_status`` is for kinds with a status of which creation leaves it alone (nodes), or
    whose own ``prepare_create`` sets it (pods). Of ``update_checks`` the first runs before the
    checks of the whole new object and the others after them: upstream's order. The
    ``creation_checks`` follow the whole object's on creation only. ``rechecks`` is
    false for the few kinds whose new object upstream does not check as a whole. ``status_checks``
    replace all of these for writes to ``status``. The rest is described at `Strategy`.
    """
    first = create_preparation(
        status=first_status,
        drops_status=has_status if drops_status is None else drops_status,
        generation=generation,
    )
    later = update_preparation(keeps_status=has_status, generation=generation)
    whole = combined(*create_checks)
    metadata_update, *further_updates = update_checks
    return Strategy(
        default=default,
        validate_create=combined(whole, *creation_checks),
        validate_update=combined_update(
            metadata_update,
            *((_when_desired_changed(whole),) if rechecks else ()),
            *further_updates,
        ),
        prepare_create=_then(first, prepare_create),
        prepare_update=_then_update(prepare_update, later),
        prepare_status=prepare_status or status_preparation(*status_metadata),
        grace_period=grace_period,
        selectable_fields=selectable_fields or (field_values(*fields) if fields else meta_fields),
        fields=META_FIELDS | set(fields),
        create_on_update=create_on_update,
        has_generation=generation,
        validate_status=None if status_checks is None else combined_update(*status_checks),
        subresources=subresources or {},
        warnings=warnings,
        requested_by=requested_by,
    )


def no_complaints(_new: Object, _old: Object) -> list[FieldError]:
    """Stand first among ``update_checks`` where upstream checks the whole new object first."""
    return []


def _then(first: Default, second: Default | None) -> Default:
    if second is None:
        return first
    return lambda obj: second(first(obj))


def _then_update(first: Prepare | None, second: Prepare) -> Prepare:
    if first is None:
        return second
    return lambda new, old: second(first(new, old), old)
