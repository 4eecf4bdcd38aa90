"""Secrets."""

from __future__ import annotations

import base64
import json
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    each_invalid,
    immutable,
    invalid,
    required,
    too_long,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import filled, without
from orchestrator.resources.strategies._strategy import Strategy, build, combined_update
from orchestrator.resources.strategies.configmaps import (
    SIZE_LIMIT,
    decoded_size,
    immutable_data,
)

_NEEDED: Final = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""Keys that a type of Secret must have."""

_REDACTED: Final = "<secret contents redacted>"
_GO_KINDS: Final = {list: "array", str: "string", bool: "bool"}
_SERVICE_ACCOUNT: Final = "kubernetes.io/service-account.name"


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of Secrets."""
    return build(
        has_status=False,
        default=_default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _data),
        update_checks=(combined_update(metadata_update_check(), _type, immutable_data("data")),),
        fields=("type",),
    )


def _default(obj: Object) -> Object:
    obj = filled(obj, type="Opaque")
    if "stringData" not in obj:
        return obj
    text = obj.get("stringData") or {}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
    merged = {**(obj.get("data") or {}), **encoded}
    return {**without(obj, "stringData"), **({"data": merged} if merged else {})}


def _type(new: Object, old: Object) -> list[FieldError]:
    return immutable("type", new.get("type"), old.get("type"))


def _data(obj: Object) -> list[FieldError]:
    data = obj.get("data") or {}
    found: list[FieldError] = []
    for key in data:
        found += each_invalid(f"data[{key}]", key, names.config_key(key))
    if sum(decoded_size(value) for value in data.values()) > SIZE_LIMIT:
        found.append(too_long("data", SIZE_LIMIT))
    type_ = obj.get("type") or ""
    found += [required(f"data[{key}]") for key in _NEEDED.get(type_, ()) if key not in data]
    if type_ == "kubernetes.io/ssh-auth" and data.get("ssh-privatekey") == "":
        found.append(required("data[ssh-privatekey]"))
    if type_ == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        found += [required("data[username]"), required("data[password]")]
    if type_ == "kubernetes.io/service-account-token":
        annotations = (obj.get("metadata") or {}).get("annotations") or {}
        if not annotations.get(_SERVICE_ACCOUNT):
            found.append(required(f"metadata.annotations[{_SERVICE_ACCOUNT}]"))
    if type_ in {"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"}:
        found += _docker(data, _NEEDED[type_][0])
    return found


def _docker(data: dict[str, str], key: str) -> list[FieldError]:
    if key not in data:
        return []
    try:
        content = json.loads(base64.b64decode(data[key]))
    except ValueError as error:
        return [invalid(f"data[{key}]", _REDACTED, _as_go_says(data[key], error))]
    if content is None or isinstance(content, dict):
        return []
    kind = _GO_KINDS.get(type(content), "number")
    wrong = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    return [invalid(f"data[{key}]", _REDACTED, wrong)]


def _as_go_says(text: str, error: ValueError) -> str:
    """Say in the words of upstream's decoder why something is no JSON."""
    content = base64.b64decode(text)
    if not content.strip() or not isinstance(error, json.JSONDecodeError):
        return "unexpected end of JSON input" if not content.strip() else str(error)
    if error.pos >= len(error.doc):
        return "unexpected end of JSON input"
    where = "looking for beginning of value" if error.msg == "Expecting value" else "in JSON"
    return f"invalid character '{error.doc[error.pos]}' {where}"
