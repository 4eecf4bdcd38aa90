"""PodTemplates."""

from __future__ import annotations

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._pod_defaults import default_template
from orchestrator.resources.strategies._pod_validation import template_problems
from orchestrator.resources.strategies._pod_warnings import template_warnings
from orchestrator.resources.strategies._sharing import changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of PodTemplates."""
    return build(
        has_status=False,
        generation=True,
        default=lambda obj: changed(filled(obj, template={}), "template", default_template),
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _template),
        update_checks=(metadata_update_check(),),
        warnings=template_warnings("template", names_pods=False),
    )


def _template(obj: Object) -> list[FieldError]:
    return template_problems(obj.get("template") or {}, "template")
