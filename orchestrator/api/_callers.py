"""What admission is told of a request besides its object."""

from __future__ import annotations

from typing import Any

from orchestrator.api._options import WriteOptions
from orchestrator.api._requests import Request
from orchestrator.store.admission import Caller


def caller_of(request: Request, kind: str, options: WriteOptions) -> Caller:
    """Describe who writes and with which options.

    Args:
        request: The request.
        kind: ``CreateOptions``, ``UpdateOptions`` or ``PatchOptions``.
        options: What was read of them.
    """
    return Caller(request.user, _options_object(request, kind, options), request.warnings)


def deleter_of(request: Request, body: dict[str, Any] | None) -> Caller:
    """Describe who deletes; ``body`` holds the DeleteOptions, if there was one."""
    options = {**(body or {}), "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    if "dryRun" in request.query:
        options["dryRun"] = ["All"]
    return Caller(request.user, options, request.warnings)


def _options_object(request: Request, kind: str, options: WriteOptions) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if options.dry_run:
        found["dryRun"] = ["All"]
    if options.force:
        found["force"] = True
    for name in ("fieldManager", "fieldValidation"):
        if request.query and (value := request.parameter(name)):
            found[name] = value
    return found
