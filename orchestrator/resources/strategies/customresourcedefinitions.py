"""CustomResourceDefinitions: the rules are in `orchestrator.resources.custom`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.custom.definition_rules import (
    definition_problems,
    name_problems,
    status_problems,
)
from orchestrator.resources.custom.definitions import first_status, updated_status, with_defaults
from orchestrator.resources.custom.formats import unknown_formats
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Prepare, Strategy, build, no_complaints

_WARNS_SINCE: Final = 34
"""Minor version from which on upstream warns of formats that it does not know."""


def strategy(kind: Kind) -> Strategy:
    """Build the rules of definitions."""
    built = build(
        has_status=True,
        generation=True,
        default=with_defaults,
        create_checks=(
            metadata_check(names.dns_subdomain, namespaced=kind.namespaced),
            name_problems,
            definition_problems,
        ),
        update_checks=(no_complaints, metadata_update_check(), definition_problems),
        rechecks=False,
        prepare_create=first_status,
        status_checks=(metadata_update_check(), _status),
        warnings=_warnings if _minor(kind) >= _WARNS_SINCE else None,
    )
    return replace(built, prepare_update=_noting_storage(built.prepare_update))


def _minor(kind: Kind) -> int:
    return int(kind.release.partition(".")[2])


def _warnings(new: Object, old: Object | None) -> list[str]:
    """Warn of formats that nobody checks, unless they were there before."""
    known = set() if old is None else unknown_formats(spec_of(old).get("versions"))
    found = unknown_formats(spec_of(new).get("versions")) - known
    return [f'unrecognized format "{name}"' for name in sorted(found)]


def _status(new: Object, _old: Object) -> list[FieldError]:
    return status_problems(new)


def _noting_storage(prepare: Prepare) -> Prepare:
    return lambda new, old: updated_status(prepare(new, old))
