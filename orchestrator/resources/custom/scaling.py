"""The scale subresource of custom kinds: which of their fields are replicas and selector.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/registry/customresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.resources.errors import FieldError, StatusError, internal_error, invalid
from orchestrator.resources.objects import Object, meta, name_of
from orchestrator.resources.problems import invalid as wrong

_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom kind keeps what a Scale shows, as ``.spec.replicas``.

    Attributes:
        spec: Path of the wanted replicas.
        status: Path of the present replicas.
        selector: Path of the label selector as text; empty where there is none.
    """

    spec: str
    status: str
    selector: str = ""

    @classmethod
    def of(cls, scale: Mapping[str, Any] | None) -> ScalePaths | None:
        """Read ``subresources.scale`` of a version."""
        if scale is None:
            return None
        return cls(
            scale.get("specReplicasPath") or "",
            scale.get("statusReplicasPath") or "",
            scale.get("labelSelectorPath") or "",
        )

    def scale_of(self, obj: Object) -> Object:
        """Return the Scale of an object.

        Raises:
            StatusError: 500, there is no number where the replicas should be.
        """
        metadata = meta(obj)
        wanted = value_at(obj, self.spec)
        if wanted is None:
            raise internal_error(f'the spec replicas field "{self.spec}" does not exist')
        status: dict[str, Any] = {"replicas": _whole(value_at(obj, self.status)) or 0}
        selector = value_at(obj, self.selector) if self.selector else None
        if isinstance(selector, str) and selector:
            status["selector"] = selector
        replicas = _whole(wanted)
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {field: metadata[field] for field in _METADATA if field in metadata},
            "spec": {"replicas": replicas} if replicas else {},
            "status": status,
        }

    def scaled(self, obj: Object, scale: Object) -> Object:
        """Return the object with the replicas of ``scale``.

        Raises:
            StatusError: 422 for a negative number.
        """
        replicas = (scale.get("spec") or {}).get("replicas") or 0
        if not isinstance(replicas, int) or isinstance(replicas, bool):
            raise StatusError(
                400,
                "BadRequest",
                'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
                f"{type(replicas).__name__} into Go struct field ScaleSpec.spec.replicas of type "
                "int32",
            )
        if replicas < 0:
            why = "should be a non-negative integer"
            raise invalid(
                "Scale",
                "autoscaling",
                name_of(obj),
                [wrong(self.spec.removeprefix("."), replicas, why)],
            )
        if value_at(obj, self.spec) == replicas:
            return obj
        changed: Object = _put(obj, _steps(self.spec), replicas)
        return changed

    def problems(self, obj: Object) -> list[FieldError]:
        """Return the complaints about the numbers of an object."""
        found: list[FieldError] = []
        for path in (self.spec, self.status):
            value = value_at(obj, path)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                continue  # the schema has its say about types
            if value < 0:
                found.append(wrong(path, value, "should be a non-negative integer"))
            elif value > _LARGEST:
                found.append(wrong(path, value, f"should be less than or equal to {_LARGEST}"))
        return found


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def value_at(obj: Any, path: str) -> Any:
    """Return what a simple path leads to, None where nothing is."""
    for step in _steps(path):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _put(obj: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    first, *rest = steps
    inside = obj if isinstance(obj, dict) else {}
    return {**inside, first: _put(inside.get(first), rest, value)}
