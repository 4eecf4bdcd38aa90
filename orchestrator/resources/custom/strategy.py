"""The rules of custom objects, put together from what one version of their definition says.

Source of order and words: k8s.io/apiextensions-apiserver pkg/registry/customresource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.resources import names
from orchestrator.resources.custom.values import ABSENT, value_problems
from orchestrator.resources.errors import FieldError
from orchestrator.resources.objects import Object
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import without
from orchestrator.resources.strategies._strategy import (
    META_FIELDS,
    Prepare,
    Strategy,
    SubresourceRules,
    create_preparation,
    field_values,
    no_grace,
    status_preparation,
    update_preparation,
)

if TYPE_CHECKING:
    from orchestrator.resources.custom.versions import CustomVersion

_BLOCKING: Final = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
_NOT_RUN: Final = FieldError(
    "FieldValueInvalid",
    "<nil>",
    'Invalid value: "null": some validation rules were not checked because the object was '
    "invalid; correct the existing errors to complete validation",
)


def custom_strategy(version: CustomVersion) -> Strategy:
    """Return the rules of the objects of one version."""
    checks = _Checks(version)
    has_status = version.has_status
    prepare_update = _update_preparation(has_status=has_status)

    def prepare_scale(new: Object, old: Object) -> Object:
        return prepare_update(version.fill(new), old)

    return Strategy(
        default=version.fill,
        validate_create=checks.create,
        validate_update=checks.update,
        prepare_create=create_preparation(drops_status=has_status, generation=True),
        prepare_update=prepare_update,
        prepare_status=status_preparation(),
        grace_period=no_grace,
        selectable_fields=field_values(*version.known_fields),
        fields=META_FIELDS | set(version.selectable_fields),
        has_generation=True,
        validate_status=checks.status,
        subresources={"scale": SubresourceRules(prepare_scale, checks.update)},
    )


def _update_preparation(*, has_status: bool) -> Prepare:
    first = update_preparation(keeps_status=has_status, generation=False)
    ignored = ("metadata", "status") if has_status else ("metadata",)

    def prepare(new: Object, old: Object) -> Object:
        new = first(new, old)
        if without(new, *ignored) == without(old, *ignored):
            return new
        generation = (old["metadata"].get("generation") or 0) + 1
        return {**new, "metadata": {**new["metadata"], "generation": generation}}

    return prepare


class _Checks:
    """The checks of one version's objects."""

    def __init__(self, version: CustomVersion) -> None:
        self._version = version
        self._metadata = metadata_check(names.dns_subdomain, namespaced=version.namespaced)
        self._metadata_update = metadata_update_check()

    def create(self, obj: Object) -> list[FieldError]:
        """Return the complaints about a new object."""
        version = self._version
        found = self._metadata(obj)
        found += value_problems(version.values, obj)
        if version.scale is not None:
            found += version.scale.problems(obj)
        found += self._places(obj)
        return found + self._rules(found, obj, None)

    def update(self, new: Object, old: Object) -> list[FieldError]:
        """Return the complaints about a changed object; what did not change is let be."""
        version = self._version
        found = self._metadata_update(new, old)
        found += self._metadata(new)
        found += value_problems(version.values, new, old)
        if version.scale is not None:
            found += version.scale.problems(new)
        if (places := self._places(new)) and not self._places(old):
            found += places
        return found + self._rules(found, new, old)

    def status(self, new: Object, old: Object) -> list[FieldError]:
        """Return the complaints about a new status."""
        version = self._version
        found = self._metadata_update(new, old)
        if "status" in new:
            before = old.get("status", ABSENT)
            found += value_problems(version.status_values, new["status"], before, "status")
        if version.scale is not None:
            found += version.scale.problems(new)
        if (places := self._places(new)) and not self._places(old):
            found += places
        return found + self._rules(found, new, old)

    def _places(self, obj: Object) -> list[FieldError]:
        """Check embedded objects and lists whose items have to differ."""
        version = self._version
        found: list[FieldError] = []
        if version.embedded is not None:
            version.embedded(obj, "", found)
        if version.unique is not None:
            version.unique(obj, "", found)
        return found

    def _rules(self, found: list[FieldError], obj: Any, old: Any) -> list[FieldError]:
        rules = self._version.rules
        if rules is None:
            return []
        if any(one.reason in _BLOCKING for one in found):
            return [_NOT_RUN]
        return rules(obj, old)
