"""CustomResourceDefinitions: the rules are in `orchestrator.resources.custom`."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.resources import names
from orchestrator.resources.custom.definition_rules import (
    definition_problems,
    name_problems,
    status_problems,
)
from orchestrator.resources.custom.definitions import first_status, updated_status, with_defaults
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import Prepare, Strategy, build, no_complaints


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
    )
    return replace(built, prepare_update=_noting_storage(built.prepare_update))


def _status(new: Object, _old: Object) -> list[FieldError]:
    return status_problems(new)


def _noting_storage(prepare: Prepare) -> Prepare:
    return lambda new, old: updated_status(prepare(new, old))
