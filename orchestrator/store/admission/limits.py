"""LimitRanger: what a namespace's LimitRanges give to containers, and hold objects to.

Source of order and words: k8s.io/kubernetes plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from orchestrator.resources.errors import forbidden
from orchestrator.resources.objects import Object, is_deleting, spec_of
from orchestrator.resources.pod_quality import quality_of_service
from orchestrator.resources.pod_resources import Amounts, nano_of, notations, pod_amounts
from orchestrator.resources.quantities import Notation, format_quantity, parse
from orchestrator.store.admission.examining import Examined
from orchestrator.store.identities import named

LIMIT_RANGES: Final = "limitranges"
ANNOTATION: Final = "kubernetes.io/limit-ranger"
_Part: TypeAlias = dict[str, Any]


def with_default_resources(pod: Object, reader: Any) -> Object:
    """Give the containers of a new pod the requests and limits that they leave open."""
    ranges = reader.list(LIMIT_RANGES, pod["metadata"].get("namespace") or "")
    if not ranges:
        return pod
    for limit_range in ranges:
        pod = _with_defaults(pod, limit_range)
    return pod


def _with_defaults(pod: Object, limit_range: Object) -> Object:
    limits: _Part = {}
    requests: _Part = {}
    for item in _items(limit_range, "Container"):
        requests |= item.get("defaultRequest") or {}
        limits |= item.get("default") or {}
    if not limits and not requests:
        return pod
    notes: list[str] = []
    spec = pod["spec"]
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        if field in spec:
            merged = [
                _merged(container, requests, limits, word, notes) for container in spec[field] or ()
            ]
            spec = {**spec, field: merged}
    if not notes:
        return pod
    metadata = pod["metadata"]
    annotations = {
        **(metadata.get("annotations") or {}),
        ANNOTATION: "LimitRanger plugin set: " + "; ".join(notes),
    }
    pod = {**pod, "metadata": {**metadata, "annotations": annotations}, "spec": spec}
    status = pod.get("status")
    if status and "qosClass" in status:
        pod["status"] = {**status, "qosClass": quality_of_service(spec)}
    return pod


def _merged(container: _Part, requests: _Part, limits: _Part, word: str, notes: list[str]) -> _Part:
    resources = container.get("resources") or {}
    changed = dict(resources)
    for field, defaults, noun in (("requests", requests, "request"), ("limits", limits, "limit")):
        present = resources.get(field) or {}
        added = {name: value for name, value in defaults.items() if name not in present}
        if added:
            changed[field] = {**present, **added}
            notes.append(f"{', '.join(sorted(added))} {noun} for {word} {container['name']}")
    return {**container, "resources": changed} if changed != resources else container


def check_limits(examined: Examined) -> None:
    """Hold a new pod, a resized one, or a claim to the limits of its namespace.

    Raises:
        StatusError: 403 with all that one LimitRange has against it.
    """
    resource, obj, old = examined.kind.resource, examined.object, examined.old
    if resource == "pods":
        if (old is not None) != (examined.subresource == "resize"):
            return  # nothing but a resize changes what a pod asks for
    elif examined.subresource:
        return
    if old is not None and is_deleting(old):
        return
    for limit_range in examined.reader.list(LIMIT_RANGES, obj["metadata"].get("namespace") or ""):
        check = _pod_problems if resource == "pods" else _claim_problems
        problems = list(dict.fromkeys(check(limit_range, spec_of(obj))))
        if problems:
            why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden(resource, named(obj), why)


def _items(limit_range: Object, type_: str) -> Iterator[_Part]:
    return (item for item in spec_of(limit_range).get("limits") or () if item.get("type") == type_)


def _pod_problems(limit_range: Object, spec: _Part) -> Iterator[str]:
    for item in spec_of(limit_range).get("limits") or ():
        if item.get("type") == "Container":
            for field in ("containers", "initContainers"):
                for container in spec.get(field) or ():
                    resources = container.get("resources") or {}
                    texts = resources.get("requests") or {}, resources.get("limits") or {}
                    requests, limits = map(nano_of, texts)
                    yield from _held(item, "Container", requests, limits, texts)
        elif item.get("type") == "Pod":
            requests, limits = pod_amounts(spec, "requests"), pod_amounts(spec, "limits")
            written = notations(spec)
            texts = _texts(requests, written), _texts(limits, written)
            yield from _held(item, "Pod", requests, limits, texts)


def _claim_problems(limit_range: Object, spec: _Part) -> Iterator[str]:
    asked = (spec.get("resources") or {}).get("requests") or {}
    requests = nano_of(asked)
    for item in _items(limit_range, "PersistentVolumeClaim"):
        for name, enforced in _sorted(item.get("min")):
            yield from _minimum("PersistentVolumeClaim", name, enforced, requests, {}, (asked, {}))
        for name, enforced in _sorted(item.get("max")):
            begin = f"maximum {name} usage per PersistentVolumeClaim is {enforced}"
            if name not in requests:
                yield f"{begin}.  No request is specified"
            elif requests[name] > parse(enforced).nano:
                yield f"{begin}, but request is {asked[name]}"


_Texts: TypeAlias = tuple[_Part, _Part]


def _held(
    item: _Part, type_: str, requests: Amounts, limits: Amounts, texts: _Texts
) -> Iterator[str]:
    for name, enforced in _sorted(item.get("min")):
        yield from _minimum(type_, name, enforced, requests, limits, texts)
    for name, enforced in _sorted(item.get("max")):
        begin = f"maximum {name} usage per {type_} is {enforced}"
        highest = parse(enforced).nano
        if name not in limits:
            yield f"{begin}.  No limit is specified"
        elif limits[name] > highest:
            yield f"{begin}, but limit is {texts[1][name]}"
        elif requests.get(name, 0) > highest:
            yield f"{begin}, but request is {texts[0][name]}"
    for name, enforced in _sorted(item.get("maxLimitRequestRatio")):
        begin = f"{name} max limit to request ratio per {type_} is {enforced}"
        if not requests.get(name):
            yield f"{begin}, but no request is specified or request is 0"
        elif not limits.get(name):
            yield f"{begin}, but no limit is specified or limit is 0"
        elif limits[name] * 10**9 > requests[name] * parse(enforced).nano:
            yield f"{begin}, but provided ratio is {limits[name] / requests[name]:f}"


def _minimum(
    type_: str, name: str, enforced: Any, requests: Amounts, limits: Amounts, texts: _Texts
) -> Iterator[str]:
    begin = f"minimum {name} usage per {type_} is {enforced}"
    lowest = parse(enforced).nano
    if name not in requests:
        yield f"{begin}.  No request is specified"
    elif requests[name] < lowest:
        yield f"{begin}, but request is {texts[0][name]}"
    elif name in limits and limits[name] < lowest:
        yield f"{begin}, but limit is {texts[1][name]}"


def _sorted(listed: _Part | None) -> Iterable[tuple[str, Any]]:
    return sorted((listed or {}).items())


def _texts(amounts: Amounts, written: dict[str, Notation]) -> _Part:
    return {
        name: format_quantity(nano, written.get(name, "DecimalSI"))
        for name, nano in amounts.items()
    }
