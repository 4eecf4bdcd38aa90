"""What a CustomResourceDefinition may say.

Source of the rules and words: k8s.io/apiextensions-apiserver
pkg/apis/apiextensions/validation. Upstream checks its internal form, in which what all versions
have in common stands once, as ``spec.validation`` and the like; paths in its complaints are those.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.resources import names
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.custom import expressions
from orchestrator.resources.custom.approvals import approval_problems
from orchestrator.resources.custom.default_rules import default_problems
from orchestrator.resources.custom.fieldpaths import FieldPathError, valid_field_path
from orchestrator.resources.custom.schema_rules import root_problems, schema_problems
from orchestrator.resources.custom.structural import has_unsupported, structural_problems
from orchestrator.resources.custom.values import too_many
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object, name_of, spec_of, status_of
from orchestrator.resources.problems import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
)

SCOPES: Final = ("Cluster", "Namespaced")
STRATEGIES: Final = ("None", "Webhook")
REVIEW_VERSIONS: Final = ("v1", "v1beta1")
SELECTABLE_LIMIT: Final = 8
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = (
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
)
_MIXED_CASE: Final = "may have mixed case, but should otherwise match: "
_SHARED: Final = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""Fields of versions and what they are called where all versions share them."""


def definition_problems(crd: Object, old: Object | None = None) -> list[FieldError]:
    """Return every complaint about a definition, but for its metadata.

    Args:
        crd: With its defaults.
        old: What it replaces.
    """
    spec = spec_of(crd)
    found = _spec(spec, old)
    if old is not None:
        before = spec_of(old)
        if is_established(old):
            found += immutable("spec.scope", spec.get("scope"), before.get("scope"))
            found += immutable(
                "spec.names.kind", _names(spec).get("kind"), _names(before).get("kind")
            )
        found += immutable("spec.group", spec.get("group"), before.get("group"))
        found += immutable(
            "spec.names.plural", _names(spec).get("plural"), _names(before).get("plural")
        )
    found += names_problems(status_of(crd).get("acceptedNames") or {}, "status.acceptedNames")
    found += stored_versions_problems(crd)
    found += approval_problems(crd, old)
    if spec.get("preserveUnknownFields") and not (
        old is not None and spec_of(old).get("preserveUnknownFields")
    ):
        found.append(
            invalid(
                "spec.preserveUnknownFields",
                True,
                "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                "spec.versions[*].schema instead",
            )
        )
    return found


def status_problems(crd: Object) -> list[FieldError]:
    """Return the complaints about a status that was written."""
    return names_problems(status_of(crd).get("acceptedNames") or {}, "status.acceptedNames")


def name_problems(crd: Object) -> list[FieldError]:
    """Check that a definition is called after its resource."""
    spec = spec_of(crd)
    name = name_of(crd)
    if name == f"{_names(spec).get('plural', '')}.{spec.get('group', '')}":
        return []
    return [invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]


def is_established(crd: Object) -> bool:
    """Tell whether a definition has been served."""
    return is_condition_true(crd, "Established")


def _names(spec: Mapping[str, Any]) -> dict[str, Any]:
    return spec.get("names") or {}


def _spec(spec: Mapping[str, Any], old: Object | None) -> list[FieldError]:
    found = _group(spec.get("group") or "")
    scope = spec.get("scope") or ""
    if not scope:
        found.append(required("spec.scope"))
    elif scope not in SCOPES:
        found.append(not_supported("spec.scope", scope, SCOPES))
    versions: Sequence[dict[str, Any]] = spec.get("versions") or []
    found += [
        required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
        for index, version in enumerate(versions)
        if not _schema(version)
    ]
    if not versions:
        found.append(required("spec.versions"))
    found += _versions(versions)
    named = [version.get("name") for version in versions]
    if len(set(named)) != len(named):
        found.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(
            invalid(
                "spec.versions", versions, "must have exactly one version marked as storage version"
            )
        )
    given = _names(spec)
    found += [
        required(f"spec.names.{field}")
        for field in ("plural", "singular", "kind", "listKind")
        if not given.get(field)
    ]
    found += names_problems(given, "spec.names")
    conversion = spec.get("conversion")
    if conversion:
        found += _conversion(conversion, strict=old is not None and is_established(old))
    return found


def _group(group: str) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    if problems := names.dns_subdomain(group):
        return [invalid("spec.group", group, ",".join(problems))]
    if "." not in group:
        return [invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _versions(versions: Sequence[dict[str, Any]]) -> list[FieldError]:
    found: list[FieldError] = []
    shared = {
        field
        for field in _SHARED
        if versions and all(one.get(field) == versions[0].get(field) for one in versions)
    }
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        name = version.get("name") or ""
        if problems := names.dns_label_1035(name):
            found.append(invalid(f"{at}.name", name, ",".join(problems)))
        found += _deprecation(version, at)
        for field in _SHARED:
            if field in shared and index:
                continue
            where = f"spec.{_SHARED[field]}" if field in shared else f"{at}.{field}"
            found += _part(version, field, where)
    return found


def _part(version: dict[str, Any], field: str, at: str) -> list[FieldError]:
    """Check one of the parts that versions may share."""
    schema = _schema(version)
    value = version.get(field)
    match field:
        case "schema" if isinstance(schema, Mapping):
            has_status = (version.get("subresources") or {}).get("status") is not None
            return version_schema_problems(schema, f"{at}.openAPIV3Schema", has_status=has_status)
        case "subresources":
            return _subresources(value or {}, at)
        case "additionalPrinterColumns":
            return [
                one
                for index, column in enumerate(value or ())
                for one in _column(column, f"{at}[{index}]")
            ]
        case "selectableFields" if value:
            if not isinstance(schema, Mapping):
                why = (
                    "selectableFields may only be set when version.schema.openAPIV3Schema is not "
                    "included"
                )
                return [invalid(at, "", why)]
            return _selectable(value, schema, at)
        case _:
            return []


def _schema(version: dict[str, Any]) -> Any:
    return (version.get("schema") or {}).get("openAPIV3Schema")


def version_schema_problems(
    schema: Mapping[str, Any], path: str, *, has_status: bool
) -> list[FieldError]:
    """Return every complaint about the schema of a version."""
    found = root_problems(schema, path, has_status=has_status)
    evaluable = False
    if not has_unsupported(schema):
        structure = structural_problems(schema, path) or default_problems(schema, path)
        found += structure
        evaluable = not structure
    rules = schema_problems(schema, path)
    found += rules
    found += expressions.rule_problems(schema, path, evaluable=evaluable and not rules)
    return found


def names_problems(given: Mapping[str, Any], at: str) -> list[FieldError]:
    """Check the names of a kind, requested or accepted."""
    found: list[FieldError] = []
    for field in ("plural", "singular"):
        value = given.get(field) or ""
        if value and (problems := names.dns_label_1035(value)):
            found.append(invalid(f"{at}.{field}", value, ",".join(problems)))
    for field in ("kind", "listKind"):
        value = given.get(field) or ""
        if value and (problems := names.dns_label_1035(value.lower())):
            found.append(invalid(f"{at}.{field}", value, _MIXED_CASE + ",".join(problems)))
    for index, value in enumerate(given.get("shortNames") or ()):
        if problems := names.dns_label_1035(value):
            found.append(invalid(f"{at}.shortNames[{index}]", value, ",".join(problems)))
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        found.append(
            invalid(f"{at}.listKind", given["listKind"], "kind and listKind may not be the same")
        )
    for index, value in enumerate(given.get("categories") or ()):
        if problems := names.dns_label_1035(value):
            found.append(invalid(f"{at}.categories[{index}]", value, ",".join(problems)))
    return found


def stored_versions_problems(crd: Object) -> list[FieldError]:
    """Check that every version of which objects may be stored is still known."""
    stored = status_of(crd).get("storedVersions") or []
    at = "status.storedVersions"
    if not stored:
        return [invalid(at, [], "must have at least one stored version")]
    versions = spec_of(crd).get("versions") or ()
    known = {version.get("name") for version in versions}
    found = [
        invalid(at, stored, f"must have the storage version {version.get('name')}")
        for version in versions
        if version.get("storage") and version.get("name") not in stored
    ]
    return found + [
        invalid(
            f"{at}[{index}]",
            version,
            f"missing from spec.versions; {version} was previously a storage version, and must "
            "remain in spec.versions until a storage migration ensures no data remains persisted "
            f"in {version} and removes {version} from status.storedVersions",
        )
        for index, version in enumerate(stored)
        if version not in known
    ]


def _deprecation(version: dict[str, Any], at: str) -> list[FieldError]:
    text = version.get("deprecationWarning")
    if text is None:
        return []
    field = f"{at}.deprecationWarning"
    if not version.get("deprecated"):
        return [invalid(field, text, "can only be set for deprecated versions")]
    found = []
    if len(text.encode()) > 256:
        found.append(invalid(field, text, "must be <= 256 characters long"))
    if not text:
        found.append(invalid(field, text, "must not be an empty string"))
    offset = 0
    for char in text:
        if not (char.isprintable() or char == " "):
            found.append(
                invalid(
                    field,
                    text,
                    "must only contain printable UTF-8 characters; non-printable character found "
                    f"at index {offset}",
                )
            )
            break
        offset += len(char.encode())
    return found


def simple_path_problems(path: str, at: str) -> list[FieldError]:
    """Check the form of a path to one field."""
    if not path:
        return [invalid(at, path, "must not be empty")]
    if not path.startswith("."):
        return [invalid(at, path, "must be a simple json path starting with .")]
    return []


def _subresources(subresources: Mapping[str, Any], at: str) -> list[FieldError]:
    scale = subresources.get("scale")
    if scale is None:
        return []
    found: list[FieldError] = []
    for field, parent in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        where, path = f"{at}.scale.{field}", scale.get(field) or ""
        if not path:
            found.append(required(where))
        elif problems := simple_path_problems(path, where):
            found += problems
        elif not path.startswith(parent):
            found.append(invalid(where, path, f"should be a json path under {parent[:-1]}"))
    path = scale.get("labelSelectorPath") or ""
    if path:
        where = f"{at}.scale.labelSelectorPath"
        problems = simple_path_problems(path, where)
        if not problems and not path.startswith((".spec.", ".status.")):
            why = "should be a json path under either .spec or .status"
            problems = [invalid(where, path, why)]
        found += problems
    return found


def _column(column: Mapping[str, Any], at: str) -> list[FieldError]:
    found: list[FieldError] = []
    if not column.get("name"):
        found.append(required(f"{at}.name"))
    types = f"must be one of {','.join(_COLUMN_TYPES)}"
    type_ = column.get("type") or ""
    if not type_:
        found.append(required(f"{at}.type", types))
    elif type_ not in _COLUMN_TYPES:
        found.append(invalid(f"{at}.type", type_, types))
    form = column.get("format") or ""
    if form and form not in _COLUMN_FORMATS:
        found.append(invalid(f"{at}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}"))
    path = column.get("jsonPath") or ""
    if not path:
        found.append(required(f"{at}.JSONPath"))
    else:
        found += simple_path_problems(path, f"{at}.JSONPath")
    return found


def _selectable(
    fields: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], at: str
) -> list[FieldError]:
    found: list[FieldError] = []
    seen = set()
    for index, field in enumerate(fields):
        where, path = f"{at}[{index}].jsonPath", field.get("jsonPath") or ""
        if not path:
            found.append(required(where))
            continue
        try:
            steps, place = valid_field_path(path, schema, arrays=False)
        except FieldPathError as error:
            found.append(invalid(where, path, f"is an invalid path: {error}"))
            continue
        if steps and steps[0] == "metadata":
            found.append(invalid(where, path, "must not point to fields in metadata"))
        if place.get("type") not in {"string", "boolean", "integer"}:
            found.append(
                invalid(
                    where,
                    path,
                    "must point to a field of type string, boolean or integer. Enum string fields "
                    "and strings with formats are allowed.",
                )
            )
        if steps in seen:
            found.append(duplicate(where, path))
        seen.add(steps)
    if len(seen) > SELECTABLE_LIMIT:
        found.append(too_many(at, len(seen), SELECTABLE_LIMIT))
    return found


def _conversion(conversion: Mapping[str, Any], *, strict: bool) -> list[FieldError]:
    at = "spec.conversion"
    strategy = conversion.get("strategy") or ""
    found: list[FieldError] = []
    if not strategy:
        found.append(required(f"{at}.strategy"))
    elif strategy not in STRATEGIES:
        found.append(not_supported(f"{at}.strategy", strategy, STRATEGIES))
    webhook = conversion.get("webhook")
    config = (webhook or {}).get("clientConfig")
    versions = (webhook or {}).get("conversionReviewVersions") or []
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if config is not None:
            found.append(forbidden(f"{at}.webhookClientConfig", why))
        if versions:
            found.append(forbidden(f"{at}.conversionReviewVersions", why))
        return found
    if config is None:
        why = "required when strategy is set to Webhook"
        found.append(required(f"{at}.webhookClientConfig", why))
    else:
        found += _client_config(config, f"{at}.webhookClientConfig", strict=strict)
    return found + _review_versions(versions, f"{at}.conversionReviewVersions")


def _review_versions(versions: Sequence[str], at: str) -> list[FieldError]:
    if not versions:
        return [required(at)]
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        if version in seen:
            found.append(invalid(f"{at}[{index}]", version, "duplicate version"))
            continue
        seen.add(version)
        found += [invalid(f"{at}[{index}]", version, why) for why in names.dns_label_1035(version)]
    if seen.isdisjoint(REVIEW_VERSIONS):
        known = ", ".join(REVIEW_VERSIONS)
        found.append(invalid(at, list(versions), f"must include at least one of {known}"))
    return found


def _client_config(config: Mapping[str, Any], at: str, *, strict: bool) -> list[FieldError]:
    url, service = config.get("url"), config.get("service")
    found: list[FieldError] = []
    if (url is None) == (service is None):
        found.append(required(at, "exactly one of url or service is required"))
    elif url is not None:
        found += webhook_url_problems(url, f"{at}.url")
    elif service is not None:
        found += webhook_service_problems(service, f"{at}.service")
    bundle = config.get("caBundle")
    if bundle and strict and not _holds_certificates(bundle):
        found.append(
            invalid(
                f"{at}.caBundle",
                bundle,
                "unable to load root certificates: unable to parse bytes as PEM block",
            )
        )
    return found


def _holds_certificates(bundle: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE-----" in base64.b64decode(bundle)
    except (binascii.Error, ValueError):
        return False


def webhook_url_problems(url: str, at: str) -> list[FieldError]:
    """Check the URL of a webhook."""
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
        host = parts.netloc
    except ValueError as error:
        return [required(at, f"url must be a valid URL: {error}{form}")]
    found: list[FieldError] = []
    if parts.scheme != "https":
        why = f"'https' is the only allowed URL scheme{form}"
        found.append(invalid(at, parts.scheme, why))
    if not host:
        found.append(invalid(at, host, f"host must be specified{form}"))
    if "@" in host:
        found.append(
            invalid(at, host.rpartition("@")[0], "user information is not permitted in the URL")
        )
    if parts.fragment:
        found.append(invalid(at, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        found.append(invalid(at, parts.query, "query parameters are not permitted in the URL"))
    return found


def webhook_service_problems(service: Mapping[str, Any], at: str) -> list[FieldError]:
    """Check the Service of a webhook."""
    found: list[FieldError] = []
    if not service.get("name"):
        found.append(required(f"{at}.name", "service name is required"))
    if not service.get("namespace"):
        found.append(required(f"{at}.namespace", "service namespace is required"))
    port = service.get("port", 443)
    if problems := names.port_number(port):
        text = f"port is not valid: {','.join(problems)}"
        found.append(invalid(f"{at}.port", port, text))
    path = service.get("path")
    if path is None:
        return found
    if not path.startswith("/"):
        found.append(invalid(f"{at}.path", path, "must start with a '/'"))
    if path == "/" or not path:
        return found
    steps = path[1:].split("/")
    for index, step in enumerate(steps):
        if not step and index == len(steps) - 1:
            continue
        if not step:
            why = f"segment[{index}] may not be empty"
            found.append(invalid(f"{at}.path", path, why))
        elif not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", step):
            why = f"segment[{index}]: {names.dns_subdomain(step)[0]}"
            found.append(invalid(f"{at}.path", path, why))
    return found
