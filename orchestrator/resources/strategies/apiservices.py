"""APIServices: which server answers for a group and version.

Source: k8s.io/kube-aggregator/pkg/apis/apiregistration/validation/validation.go.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.resources.problems import each_invalid, invalid, required
from orchestrator.resources.strategies._defaults import in_spec
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_GROUP_PRIORITIES: Final = 20000
_VERSION_PRIORITIES: Final = 1000
_LOCAL: Final = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of APIServices; those of the server itself are available at once."""
    metadata_update = metadata_update_check()
    return build(
        has_status=True,
        first_status={},
        default=in_spec(_default),
        create_checks=(metadata_check(names.path_segment, namespaced=False), _name, _spec),
        update_checks=(metadata_update,),
        status_metadata=(),
        status_checks=(metadata_update,),
        prepare_create=_prepare,
    )


def _default(spec: Part) -> Part:
    return changed(spec, "service", lambda service: filled(service, port=443))


def _prepare(obj: Object) -> Object:
    if spec_of(obj).get("service") is not None:
        return obj
    return {**obj, "status": {"conditions": [_LOCAL]}}


def _name(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    name = name_of(obj)
    wanted = f"{spec.get('version') or ''}.{spec.get('group') or ''}"
    if not name or name == wanted or names.path_segment(name):
        return []
    return [invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')]


def _spec(obj: Object) -> list[FieldError]:
    spec = spec_of(obj)
    group, version = spec.get("group") or "", spec.get("version") or ""
    found: list[FieldError] = []
    if group:
        found += each_invalid("spec.group", group, names.dns_subdomain(group))
    elif version != "v1":
        why = "only v1 may have an empty group and it better be legacy kube"
        found.append(required("spec.group", why))
    found += each_invalid("spec.version", version, names.dns_label_1035(version))
    for field, limit in (
        ("groupPriorityMinimum", _GROUP_PRIORITIES),
        ("versionPriority", _VERSION_PRIORITIES),
    ):
        value = spec.get(field) or 0
        if not 0 < value <= limit:
            why = f"must be positive and less than {limit}"
            found.append(invalid(f"spec.{field}", value, why))
    bundle, insecure = spec.get("caBundle") or "", bool(spec.get("insecureSkipTLSVerify"))
    service = spec.get("service")
    if service is None:
        return found + _local(bundle, insecure)
    found += [
        required(f"spec.service.{field}")
        for field in ("namespace", "name")
        if not service.get(field)
    ]
    port = service.get("port") or 0
    if wrong := names.port_number(port):
        found.append(invalid("spec.service.port", port, f"port is not valid: {','.join(wrong)}"))
    if insecure and bundle:
        why = "may not be true if caBundle is present"
        found.append(invalid("spec.insecureSkipTLSVerify", insecure, why))
    return found


def _local(bundle: str, insecure: bool) -> list[FieldError]:
    found: list[FieldError] = []
    if bundle:
        size = len(bundle) * 3 // 4 - bundle[-2:].count("=")
        why = "local APIServices may not have a caBundle"
        found.append(invalid("spec.caBundle", f"{size} bytes", why))
    if insecure:
        why = "local APIServices may not have insecureSkipTLSVerify"
        found.append(invalid("spec.insecureSkipTLSVerify", insecure, why))
    return found
