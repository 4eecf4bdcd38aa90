"""Policies as they are used: read and compiled once for each revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from orchestrator.policies.evaluating import Evaluation
from orchestrator.policies.matching import Criteria, Reading
from orchestrator.resources.cel.admission import (
    ExpressionError,
    Names,
    Variable,
    condition,
    variables_of,
)
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object, name_of, spec_of


class Binding(NamedTuple):
    """One binding.

    Attributes:
        name: Its name.
        spec: Its JSON.
        criteria: Its ``matchResources``.
    """

    name: str
    spec: dict[str, Any]
    criteria: Criteria


class Policy:
    """What all policies have in common.

    Attributes:
        name: Its name.
        spec: Its JSON.
        bindings: Those that use it.
        criteria: Its ``matchConstraints``.
        names: What its expressions may use.
        error: Why it can't be used, if so.
    """

    def __init__(self, obj: Object, bindings: Sequence[Object]) -> None:
        """Compile; what fails is kept in ``error``."""
        self.name = name_of(obj)
        self.spec = spec_of(obj)
        self.bindings = [
            Binding(name_of(one), spec_of(one), Criteria(spec_of(one).get("matchResources")))
            for one in bindings
        ]
        self.criteria = Criteria(self.spec.get("matchConstraints"))
        self.names = Names(params=bool(self.spec.get("paramKind")))
        self.error = ""
        self.variables: tuple[Variable, ...] = ()
        self._conditions: list[Program] = []
        try:
            self._conditions = [
                condition(one["expression"], self.names)
                for one in self.spec.get("matchConditions") or ()
            ]
            self.variables, self.names = variables_of(self.spec.get("variables") or (), self.names)
            self.compile()
        except ExpressionError as error:
            # Creation refuses such policies; one stored by another version may still come.
            self.error = str(error)

    def compile(self) -> None:
        """Compile what only some policies have."""

    @property
    def ignores_failure(self) -> bool:
        """Whether a request goes on when the policy fails."""
        return bool(self.spec.get("failurePolicy", "Fail") == "Ignore")

    def applies(self, evaluation: Evaluation) -> bool:
        """Tell whether all match conditions hold.

        Raises:
            EvaluationError: One failed and none is false.
        """
        return all_hold(self._conditions, evaluation)


def all_hold(conditions: Sequence[Program], evaluation: Evaluation) -> bool:
    """Tell whether all conditions hold; one that is false decides, whatever others do.

    Raises:
        EvaluationError: One failed and none is false; all failures are told.
    """
    failures: list[str] = []
    for program in conditions:
        try:
            if evaluation.told(program) is False:
                return False
        except EvaluationError as error:
            failures.append(str(error))
    if failures:
        raise EvaluationError(failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")
    return True


_Kind = TypeVar("_Kind", bound=Policy)


class Policies(Generic[_Kind]):
    """The policies in the store that have bindings, compiled, by name."""

    def __init__(
        self,
        store: Reading,
        resource: str,
        make: Callable[[Object, Sequence[Object]], _Kind],
    ) -> None:
        """Read the policies of a store.

        Args:
            store: The cluster's objects.
            resource: Of the policies, ``validatingadmissionpolicies...``.
            make: Compiles one policy.
        """
        self._store = store
        self._resource = resource
        plural, _, group = resource.partition(".")
        self._binding_resource = f"{plural.removesuffix('policies')}policybindings.{group}"
        self._make = make
        self._known: dict[tuple[int, ...], tuple[list[Object], _Kind]] = {}
        self._seen: tuple[tuple[int, ...], list[_Kind]] = ((), [])
        self._answered: tuple[
            list[_Kind], KindRegistry | None, dict[tuple[str, Kind, str], bool]
        ] = ([], None, {})

    def all(self) -> list[_Kind]:
        """Return the policies that are in force; quick when there are none or nothing changed."""
        objects = self._store.list(self._resource)
        if not objects:
            return []
        bindings = self._store.list(self._binding_resource)
        if not bindings:
            return []
        now = (*map(id, objects), 0, *map(id, bindings))
        seen, found = self._seen
        # Committed objects are replaced, never changed, and what is known here is kept alive.
        if now == seen:
            return found
        found = self._read(objects, bindings)
        self._seen = (now, found)
        return found

    def concern(self, operation: str, kind: Kind, subresource: str) -> bool:
        """Tell whether a policy in force has a rule for such requests."""
        policies = self.all()
        if not policies:
            return False
        registry = self._store.registry
        if self._answered[0] is not policies or self._answered[1] is not registry:
            self._answered = (policies, registry, {})
        answers = self._answered[2]
        question = (operation, kind, subresource)
        answer = answers.get(question)
        if answer is None:
            answer = answers[question] = any(
                policy.criteria.kind(operation, kind, subresource, registry) is not None
                for policy in policies
            )
        return answer

    def _read(self, objects: list[Object], bindings: list[Object]) -> list[_Kind]:
        by_policy: dict[str, list[Object]] = {}
        for binding in bindings:
            by_policy.setdefault(spec_of(binding).get("policyName", ""), []).append(binding)
        known, self._known = self._known, {}
        found: list[_Kind] = []
        for obj in objects:
            used = by_policy.pop(name_of(obj), None)
            if used is None:
                continue
            key = (id(obj), *map(id, used))
            entry = known.get(key)
            if entry is None:
                entry = [obj, *used], self._make(obj, used)
            self._known[key] = entry
            found.append(entry[1])
        # Bindings to no policy and policies without bindings are kept alive with their ids too.
        self._kept = objects, bindings
        return found
