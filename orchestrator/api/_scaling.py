"""Writes through the scale subresource, tracked on the object that is scaled.

A Scale has no managed fields of its own: who set its replicas is who set the field of the object
that they stand for, as upstream's scale handler maps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.api._bodies import check_object_type, is_json, parse_object
from orchestrator.api._callers import caller_of
from orchestrator.api._managers import Managers
from orchestrator.api._options import WriteOptions, write_options
from orchestrator.api._patch_bodies import (
    JSON_PATCH,
    Patch,
    check_patch_type,
    parse_patch,
)
from orchestrator.api._requests import APPLY_PATCH, Request
from orchestrator.api._routing import Target
from orchestrator.resources.decoding import decode
from orchestrator.resources.definitions import schema_of
from orchestrator.resources.errors import STALE, bad_request, conflict
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, name_of
from orchestrator.resources.patches import (
    apply_json_patch,
    apply_merge_patch,
    server_side_apply,
)
from orchestrator.resources.scales import scaling_of
from orchestrator.resources.strategies import strategy_of

if TYPE_CHECKING:
    from orchestrator.store import Store

_SCALE_VERSION = "autoscaling/v1"
_SCALE = Kind(
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    namespaced=True,
    definition="io.k8s.api.autoscaling.v1.Scale",
)
"""What the bodies are, whatever is scaled; the type is the same in every version served."""


class Scaling:
    """Answers PUT and PATCH of scales."""

    def __init__(self, store: Store, managers: Managers) -> None:
        self._store = store
        self._managers = managers

    async def write(self, request: Request, target: Target) -> Object:
        """Scale an object; returns it.

        Raises:
            StatusError: 400, 404, 409, 415 or 422.
        """
        form = request.content_type
        patch: Patch | None = None
        body: Any
        if request.method == "PATCH":
            check_patch_type(form, target.kind)
            options = write_options(request, "PatchOptions", apply=form == APPLY_PATCH)
            patch = parse_patch(await request.body(), form, options.validation)
            body = patch.value
            if form == APPLY_PATCH:
                _check_applied(body)
                body = decode(body, _SCALE, validation="Ignore").object
        else:
            check_object_type(form)
            options = write_options(request, "UpdateOptions")
            data = await request.body()
            raw = data if is_json(form) else None
            parsed = parse_object(data, form, "Scale")
            decoded = decode(parsed, _SCALE, validation=options.validation, raw=raw)
            request.warnings += decoded.warnings
            body = decoded.object

        scaling = scaling_of(target.kind)

        def change(current: Object) -> Object:
            if form == APPLY_PATCH:
                return self._applied(current, body, target, options)
            wanted = body if patch is None else _patched(scaling.read(current), patch)
            _check_place(current, wanted, target)
            new = scaling.write(current, wanted)
            if new is current:
                return current
            return self._managers.updated(target.kind, current, new, options.manager, "scale")

        kind = "PatchOptions" if patch is not None else "UpdateOptions"
        return await self._store.modify(
            target.resource,
            target.scope,
            target.name,
            change,
            subresource="scale",
            dry_run=options.dry_run,
            kind=target.kind,
            caller=caller_of(request, kind, options),
            shown=scaling.read,
        )

    def _applied(
        self, current: Object, scale: Object, target: Target, options: WriteOptions
    ) -> Object:
        """Apply a Scale as that part of the object which it stands for."""
        _check_place(current, scale, target)
        bare: Object = {
            "apiVersion": target.kind.api_version,
            "kind": target.kind.kind,
            "metadata": {"name": target.name, "namespace": target.scope},
        }
        claims = isinstance(scale.get("spec"), dict) and "replicas" in scale["spec"]
        return server_side_apply(
            current,
            scaling_of(target.kind).write(bare, scale) if claims else bare,
            schema_of(target.kind),
            manager=options.manager,
            force=options.force,
            now=self._managers.now(),
            subresource="scale",
            default=strategy_of(target.kind).default,
            versions=self._managers.versions(target.kind),
        )


def _patched(scale: Object, patch: Patch) -> Object:
    if patch.form == JSON_PATCH:
        patched = apply_json_patch(scale, patch.value)
    else:
        # A Scale has no lists: merge and strategic merge come to the same.
        patched = apply_merge_patch(scale, patch.value)
    return decode(patched, _SCALE, validation="Ignore").object


def _check_applied(scale: Object) -> None:
    """Refuse an applied Scale of another version, or with managers of its own."""
    version = scale.get("apiVersion") or ""
    if version != _SCALE_VERSION:
        raise bad_request(
            "Incorrect version specified in apply patch. Specified patch version: "
            f"{version}, expected: {_SCALE_VERSION}"
        )
    if meta(scale).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")


def _check_place(current: Object, scale: Object, target: Target) -> None:
    """Refuse a Scale of another object, or of another version of it."""
    version = meta(scale).get("resourceVersion")
    if version and version != meta(current).get("resourceVersion"):
        raise conflict(target.resource, target.name, STALE)
    named = name_of(scale)
    if named and named != target.name:
        raise bad_request(
            f"the name of the object ({named}) does not match the name on the URL ({target.name})"
        )
