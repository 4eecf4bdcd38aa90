"""PATCH in its four forms, as one function from the current object to the wanted one.

The store runs that function on its latest state, and again on a newer one when the write lost a
race, so a patch is never applied to an object that has moved on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from orchestrator.api._callers import caller_of
from orchestrator.api._managers import Managers
from orchestrator.api._options import WriteOptions, write_options
from orchestrator.api._owners import with_owners_once
from orchestrator.api._patch_bodies import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Patch,
    check_patch_type,
    parse_patch,
)
from orchestrator.api._patch_errors import patch_does_not_fit, patched_is_invalid, reason_of
from orchestrator.api._placing import check_name
from orchestrator.api._requests import APPLY_PATCH, Request
from orchestrator.api._routing import Target
from orchestrator.resources.decoding import Decoded, decode
from orchestrator.resources.definitions import schema_of
from orchestrator.resources.errors import STALE, StatusError, bad_request, conflict, not_found
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, name_of, with_meta
from orchestrator.resources.patches import (
    apply_json_patch,
    apply_merge_patch,
    apply_strategic_merge_patch,
    check_typed,
    printed,
    server_side_apply,
)
from orchestrator.resources.strategies import strategy_of

if TYPE_CHECKING:
    from orchestrator.api._access import Access
    from orchestrator.store import Store

Decode = Callable[[Object], Object]


class Patching:
    """Applies patches to stored objects."""

    def __init__(self, store: Store, managers: Managers, access: Access) -> None:
        self._store = store
        self._managers = managers
        self._access = access

    async def patch(
        self, request: Request, target: Target, subresource: str = ""
    ) -> tuple[Object, bool]:
        """Patch what ``target`` names.

        Returns:
            The object after it, and whether it was created.

        Raises:
            StatusError: 400, 404, 409, 415 or 422.
        """
        form = request.content_type
        check_patch_type(form, target.kind)
        options = write_options(request, "PatchOptions", apply=form == APPLY_PATCH)
        patch = parse_patch(await request.body(), form, options.validation)
        if form == APPLY_PATCH:
            return await self._apply(request, target, patch, options, subresource)
        transform = self.transformation(target, form, patch.value)
        first = True

        def change(current: Object) -> Object:
            nonlocal first
            patched = transform(current)
            if patched is current or patched == current:
                new, problems = current, patch.problems
            else:
                decoded = decode_patched(current, patched, target.kind, patch)
                new, problems = decoded.object, [*patch.problems, *decoded.warnings]
            if problems and options.validation == "Strict":
                why = f"strict decoding error: {', '.join(problems)}"
                raise patched_is_invalid(_shown(patch, patched), why)
            if first and options.validation != "Ignore":
                request.warnings.extend(problems)
                first = False
            if new is current:
                return current
            check_patched(current, new, target)
            new = with_owners_once(request, new, patched=True)
            return self._managers.updated(target.kind, current, new, options.manager, subresource)

        changed = await self._store.modify(
            target.resource,
            target.scope,
            target.name,
            change,
            subresource=subresource,
            dry_run=options.dry_run,
            kind=target.kind,
            caller=caller_of(request, "PatchOptions", options),
        )
        return changed, False

    def transformation(self, target: Target, form: str, patch: Any) -> Callable[[Object], Object]:
        """Return the pure function a patch stands for."""
        if form == JSON_PATCH:
            return lambda current: apply_json_patch(current, patch)
        if form == MERGE_PATCH:
            return lambda current: apply_merge_patch(current, patch)
        schema = schema_of(target.kind)
        return lambda current: apply_strategic_merge_patch(current, patch, schema)

    async def _apply(
        self,
        request: Request,
        target: Target,
        patch: Patch,
        options: WriteOptions,
        subresource: str,
    ) -> tuple[Object, bool]:
        applied = applied_object(patch.value, target)
        request.warnings += patch.problems
        schema = schema_of(target.kind)
        default = strategy_of(target.kind).default
        caller = caller_of(request, "PatchOptions", options)

        def change(current: Object | None) -> Object:
            if current is not None:
                check_version(current, applied, target)
            return server_side_apply(
                current,
                applied,
                schema,
                manager=options.manager,
                force=options.force,
                now=self._managers.now(),
                subresource=subresource,
                default=default,
                versions=self._managers.versions(target.kind),
            )

        for _ in range(3):
            current = self._store.get(target.resource, target.scope, target.name)
            if current is not None:
                try:
                    changed = await self._store.modify(
                        target.resource,
                        target.scope,
                        target.name,
                        change,
                        subresource=subresource,
                        dry_run=options.dry_run,
                        kind=target.kind,
                        caller=caller,
                    )
                except StatusError as error:
                    if error.code != 404 or self._exists(target):
                        raise
                else:
                    return changed, False
            if subresource:
                raise not_found(target.resource, target.name)
            if meta(applied).get("uid"):
                raise conflict(
                    target.resource,
                    target.name,
                    "uid mismatch: the provided object specified uid "
                    f"{meta(applied)['uid']}, and no existing object was found",
                )
            self._access.require_create(request)
            try:
                created = await self._store.create(
                    change(None),
                    resource=target.resource,
                    namespace=target.scope,
                    dry_run=options.dry_run,
                    kind=target.kind,
                    caller=caller,
                )
            except StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
            else:
                return created, True
        raise conflict(target.resource, target.name, STALE)

    def _exists(self, target: Target) -> bool:
        return self._store.get(target.resource, target.scope, target.name) is not None


def applied_object(patch: Object, target: Target) -> Object:
    """Return an applied configuration as an object of the target's kind, in its place.

    Raises:
        StatusError: 400, it belongs elsewhere or does not fit the kind's schema.
    """
    version = patch.get("apiVersion") or ""
    if version != target.kind.api_version:
        raise bad_request(
            "Incorrect version specified in apply patch. Specified patch version: "
            f"{version}, expected: {target.kind.api_version}"
        )
    metadata = patch.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    if patch.get("kind") == target.kind.kind:
        check_typed(patch, schema_of(target.kind))
    applied = decode(patch, target.kind, validation="Ignore").object
    named = meta(applied).get("namespace") or ""
    if target.kind.namespaced:
        if not named:
            applied = with_meta(applied, namespace=target.scope)
        elif named != target.scope:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on "
                "the request"
            )
    name = name_of(applied)
    if not name:
        applied = with_meta(applied, name=target.name)
    elif name != target.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )
    return applied


def decode_patched(current: Object, patched: Object, kind: Kind, patch: Patch) -> Decoded:
    """Decode what a patch made; its warnings are the unknown fields in it.

    Raises:
        StatusError: 422, it is no object of the kind any more.
    """
    try:
        return decode_changed(current, patched, kind, validation="Warn")
    except StatusError as error:
        if patch.form == STRATEGIC_PATCH:
            raise patch_does_not_fit(patch.value, error) from error
        raise patched_is_invalid(_shown(patch, patched), reason_of(error)) from error


def _shown(patch: Patch, patched: Object) -> str:
    """Return what a refusal shows as the value of ``patch``."""
    if patch.form == STRATEGIC_PATCH:
        return printed(patch.value)
    return orjson.dumps(patched).decode()


def check_version(current: Object, new: Object, target: Target) -> None:
    """Refuse a write that names another version or identity than the current one."""
    asked = meta(new).get("resourceVersion")
    if asked and asked != meta(current).get("resourceVersion"):
        raise conflict(target.resource, target.name, STALE)
    uid = meta(new).get("uid")
    if uid and uid != meta(current).get("uid"):
        raise conflict(
            target.resource,
            target.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
            f"{meta(current).get('uid')}",
        )


def decode_changed(current: Object, patched: Object, kind: Kind, *, validation: str) -> Decoded:
    """Decode a patched object; the parts that the patch left as they were have been before.

    Raises:
        StatusError: 400.
    """
    kept = {
        part: value
        for part, value in patched.items()
        if type(value) is dict and value is current.get(part)
    }
    touched = {part: value for part, value in patched.items() if part not in kept}
    decoded = decode(touched, kind, validation=validation)
    if not kept:
        return decoded
    parts = {**decoded.object, **kept}
    new = {"apiVersion": parts["apiVersion"], "kind": parts["kind"]}
    new.update((part, parts[part]) for part in patched if part in parts)
    return Decoded(new, decoded.warnings)


def check_patched(current: Object, new: Object, target: Target) -> None:
    """Refuse a patch that renames, moves or retypes the object, or was made for another version."""
    check_version(current, new, target)
    check_name(new, target)
    if (meta(new).get("namespace") or "") != (meta(current).get("namespace") or ""):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
