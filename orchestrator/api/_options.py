"""Query parameters of reads and writes, checked in upstream's words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from orchestrator.api._requests import Request
from orchestrator.records import dataclass
from orchestrator.resources.errors import FieldError, StatusError, bad_request, invalid
from orchestrator.resources.selectors import (
    FieldSelector,
    LabelSelector,
    SelectorError,
    parse_field_selector,
    parse_label_selector,
)
from orchestrator.store.operations import DeleteOptions
from orchestrator.store.rules import check_options

Validation = Literal["Ignore", "Warn", "Strict"]
_VALIDATIONS: Final[dict[str, Validation]] = {
    "": "Warn",
    "Ignore": "Ignore",
    "Warn": "Warn",
    "Strict": "Strict",
}
_DELETE_FIELDS: Final[dict[str, tuple[type, str]]] = {
    "dryRun": (list, "[]string"),
    "gracePeriodSeconds": (int, "int64"),
    "orphanDependents": (bool, "bool"),
    "preconditions": (dict, "v1.Preconditions"),
    "preconditions.resourceVersion": (str, "string"),
    "preconditions.uid": (str, "types.UID"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
}
_JSON_NAMES: Final[dict[type, str]] = {
    bool: "bool",
    float: "number",
    int: "number",
    list: "array",
    str: "string",
}
_MATCHES: Final = ("Exact", "NotOlderThan")
_MANAGER_LIMIT: Final = 128
_UNKNOWN_MANAGER: Final = "unknown"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of create, update and patch.

    Attributes:
        dry_run: Decide and answer, write nothing.
        manager: Who the change is tracked for.
        validation: What to do about unknown and duplicate fields.
        force: Take over conflicting fields (apply only).
    """

    dry_run: bool
    manager: str
    validation: Validation
    force: bool = False


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of list and watch.

    Attributes:
        labels: None selects everything.
        fields: None selects everything.
        resource_version: As given, ``""`` when not.
        match: ``resourceVersionMatch``.
        limit: 0 for no limit.
        continue_: The token, ``""`` for the first page.
        watch: A watch was asked for.
        bookmarks: The watcher wants bookmarks.
        send_initial_events: None when not given.
        timeout: Seconds after which a watch ends; None for the server's choice.
    """

    labels: LabelSelector | None
    fields: FieldSelector | None
    resource_version: str
    match: str
    limit: int
    continue_: str
    watch: bool
    bookmarks: bool
    send_initial_events: bool | None
    timeout: int | None


def _invalid_options(kind: str, causes: Sequence[FieldError]) -> StatusError:
    return invalid(kind, "meta.k8s.io", "", causes)


def dry_run_of(values: Sequence[str], kind: str) -> bool:
    """Read ``dryRun``: absent, or ``All``; anything else is a 422."""
    if not values:
        return False
    for value in values:
        if value != "All":
            cause = FieldError(
                "FieldValueNotSupported",
                "dryRun",
                f'Unsupported value: "{value}": supported values: "All"',
            )
            raise _invalid_options(kind, [cause])
    return True


def write_options(request: Request, kind: str, *, apply: bool = False) -> WriteOptions:
    """Read the options of a write.

    Args:
        request: The request.
        kind: ``CreateOptions``, ``UpdateOptions`` or ``PatchOptions``.
        apply: Server-side apply, which needs a manager and may force.

    Raises:
        StatusError: 422 with every cause.
    """
    if not request.query and not apply:
        return WriteOptions(False, default_manager(request.user_agent), "Warn")
    dry_run = dry_run_of(request.query.get("dryRun", ()), kind)
    causes = []
    asked = request.parameter("fieldValidation")
    validation = _VALIDATIONS.get(asked)
    if validation is None:
        causes.append(
            FieldError(
                "FieldValueNotSupported",
                "fieldValidation",
                f'Unsupported value: "{asked}": supported values: "Ignore", "Strict", "Warn"',
            )
        )
    manager = request.parameter("fieldManager")
    if len(manager) > _MANAGER_LIMIT:
        causes.append(
            FieldError(
                "FieldValueTooLong",
                "fieldManager",
                f"Too long: may not be more than {_MANAGER_LIMIT} bytes",
            )
        )
    elif manager and not manager.isprintable():
        causes.append(
            FieldError(
                "FieldValueInvalid",
                "fieldManager",
                f'Invalid value: "{manager}": should only contain printable characters',
            )
        )
    if apply and not manager:
        causes.append(
            FieldError(
                "FieldValueRequired",
                "fieldManager",
                "Required value: is required for apply patch",
            )
        )
    force = request.flag("force")
    if not apply and "force" in request.query and kind == "PatchOptions":
        causes.append(
            FieldError(
                "FieldValueForbidden",
                "force",
                "Forbidden: may not be specified for non-apply patch",
            )
        )
    if causes:
        raise _invalid_options(kind, causes)
    return WriteOptions(
        dry_run, manager or default_manager(request.user_agent), validation or "Warn", force
    )


@lru_cache(maxsize=256)
def default_manager(user_agent: str) -> str:
    """Name the manager after the client's program, as upstream does."""
    name = user_agent.split("/", 1)[0]
    printable = "".join(char for char in name if char.isprintable())
    return printable[:_MANAGER_LIMIT] or _UNKNOWN_MANAGER


def selectors_of(request: Request) -> tuple[LabelSelector | None, FieldSelector | None]:
    """Read the selectors; None stands for one that selects everything.

    Raises:
        StatusError: 400 in the parser's words.
    """
    labels: LabelSelector | None = None
    fields: FieldSelector | None = None
    try:
        if text := request.parameter("labelSelector"):
            labels = parse_label_selector(text)
    except SelectorError as error:
        raise bad_request(f"unable to parse requirement: {error}") from error
    try:
        if text := request.parameter("fieldSelector"):
            fields = parse_field_selector(text)
    except SelectorError as error:
        raise bad_request(str(error)) from error
    return (
        None if labels is None or labels.empty else labels,
        None if fields is None or fields.empty else fields,
    )


def check_version_number(text: str) -> None:
    """Refuse a resourceVersion that is no number."""
    if not text:
        return
    if not (text.isascii() and text.isdigit()):
        raise bad_request(
            f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    if len(text) > 20:
        raise bad_request(
            f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": value out of range'
        )


def list_options(request: Request, *, watch: bool = False) -> ListOptions:
    """Read the options of a list or a watch.

    Raises:
        StatusError: 400 for what cannot be parsed, 422 for what does not go together.
    """
    labels, fields = selectors_of(request)
    version = request.parameter("resourceVersion")
    match = request.parameter("resourceVersionMatch")
    check_version_number(version)
    watching = watch or request.flag("watch")
    initial = request.flag("sendInitialEvents") if "sendInitialEvents" in request.query else None
    limit = request.number("limit") or 0
    continue_ = request.parameter("continue")
    if causes := _list_causes(version, match, initial, continue_, watching):
        raise _invalid_options("ListOptions", causes)
    return ListOptions(
        labels=labels,
        fields=fields,
        resource_version=version,
        match=match,
        limit=max(limit, 0),
        continue_=continue_,
        watch=watching,
        bookmarks=request.flag("allowWatchBookmarks"),
        send_initial_events=initial,
        timeout=request.number("timeoutSeconds"),
    )


def _list_causes(
    version: str, match: str, initial: bool | None, continue_: str, watching: bool
) -> list[FieldError]:
    """Apimachinery's ValidateListOptions."""

    def forbidden(field: str, why: str) -> FieldError:
        return FieldError("FieldValueForbidden", field, f"Forbidden: {why}")

    name = "resourceVersionMatch"
    causes = []
    if watching:
        if initial is not None and match != "NotOlderThan":
            causes.append(
                forbidden(name, f"sendInitialEvents requires setting {name} to NotOlderThan")
            )
        if not match:
            return causes
        if initial is None:
            why = f"{name} is forbidden for watch unless sendInitialEvents is provided"
            causes.append(forbidden(name, why))
        if match != "NotOlderThan":
            why = f'Unsupported value: "{match}": supported values: "NotOlderThan"'
            causes.append(FieldError("FieldValueNotSupported", name, why))
        if continue_:
            causes.append(forbidden(name, f"{name} is forbidden when continue is provided"))
        return causes
    if match:
        causes += _match_causes(version, match, continue_)
    if initial is not None:
        causes.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return causes


def _match_causes(version: str, match: str, continue_: str) -> list[FieldError]:
    """Return what is wrong with the ``resourceVersionMatch`` of a list."""

    def forbidden(field: str, why: str) -> FieldError:
        return FieldError("FieldValueForbidden", field, f"Forbidden: {why}")

    name = "resourceVersionMatch"
    causes = []
    if not version:
        causes.append(forbidden(name, f"{name} is forbidden unless resourceVersion is provided"))
    if continue_:
        causes.append(forbidden(name, f"{name} is forbidden when continue is provided"))
    if match not in _MATCHES:
        causes.append(
            FieldError(
                "FieldValueNotSupported",
                name,
                f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""',
            )
        )
    elif match == "Exact" and version == "0":
        causes.append(
            forbidden(name, f'{name} "exact" is forbidden for resourceVersion "0"'),
        )
    return causes


def delete_options(request: Request, body: dict[str, Any] | None) -> tuple[DeleteOptions, bool]:
    """Read the options of a delete, from the body or, without one, from the query.

    Returns:
        The options, and whether it is a dry run.

    Raises:
        StatusError: 400 or 422.
    """
    body = dict(body) if body else {}
    _check_types(body)
    if not body:
        if (grace := request.number("gracePeriodSeconds")) is not None:
            body["gracePeriodSeconds"] = grace
        if asked_policy := request.parameter("propagationPolicy"):
            body["propagationPolicy"] = asked_policy
        if "orphanDependents" in request.query:
            body["orphanDependents"] = request.flag("orphanDependents")
    asked = [*(body.get("dryRun") or ()), *request.query.get("dryRun", ())]
    dry_run = dry_run_of(asked, "DeleteOptions")
    options = DeleteOptions.parse(body)
    check_options(options)
    return options, dry_run


def _check_types(body: dict[str, Any]) -> None:
    """Refuse options of other types than they have.

    Raises:
        StatusError: 400.
    """
    for field, (type_, go) in _DELETE_FIELDS.items():
        outer, _, inner = field.partition(".")
        value = body.get(outer)
        if inner and value is not None:
            value = value.get(inner)  # the outer one comes first
        if value is None or type(value) is type_:
            continue
        raise bad_request(
            f"json: cannot unmarshal {_JSON_NAMES.get(type(value), 'object')} into Go struct field "
            f"DeleteOptions.{field} of type {go}"
        )
    if any(type(one) is not str for one in body.get("dryRun") or ()):
        raise bad_request(
            "json: cannot unmarshal into Go struct field DeleteOptions.dryRun of type string"
        )
