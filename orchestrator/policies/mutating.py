"""MutatingAdmissionPolicies, as soon as there are some.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from orchestrator.access import Authorizer
from orchestrator.policies.compiled import Binding, Policies, Policy
from orchestrator.policies.evaluating import Evaluation, OutOfBudgetError
from orchestrator.policies.hooks import MUTATING
from orchestrator.policies.inputs import values_of
from orchestrator.policies.matching import Reading, converted, namespace_of_request
from orchestrator.policies.params import ConfigurationError, params_of
from orchestrator.policies.threads import Evaluator
from orchestrator.policies.validating import refusal
from orchestrator.resources.cel.admission import compiled
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.mutations import configuration, patches
from orchestrator.resources.decoding import decode
from orchestrator.resources.definitions import schema_of
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import apply_configuration, apply_json_patch
from orchestrator.store.admission import AdmissionOperation, Attributes


class MutationError(Exception):
    """A mutation that can't be made; the text is upstream's."""


class Mutation(NamedTuple):
    """One mutation, compiled.

    Attributes:
        program: Makes the patch.
        applied: Whether the patch is a configuration to apply, and no JSON patch.
    """

    program: Program
    applied: bool


class MutatingPolicy(Policy):
    """One MutatingAdmissionPolicy."""

    def compile(self) -> None:
        """Compile the mutations."""
        names = self.names._replace(mutation=True)
        self.mutations: list[Mutation] = []
        for form in self.spec.get("mutations") or ():
            applied = form.get("patchType") == "ApplyConfiguration"
            field = "applyConfiguration" if applied else "jsonPatch"
            source = (form.get(field) or {}).get("expression") or ""
            wanted = ("object",) if applied else ("list",)
            self.mutations.append(Mutation(compiled(source, wanted, names), applied))

    def patch(
        self, mutation: Mutation, values: dict[str, Any], patience: int | None
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the patch that a mutation makes.

        Raises:
            EvaluationError: It makes none.
            OutOfBudgetError: The budget is spent.
            TooLongError: It takes more than patience.
        """
        made = Evaluation(values, self.variables, patience=patience).told(mutation.program)
        return configuration(made) if mutation.applied else patches(made)

    def patching(
        self, mutation: Mutation, values: dict[str, Any]
    ) -> Callable[[int | None], dict[str, Any] | list[dict[str, Any]]]:
        """Return `patch` as a function of patience."""
        return lambda patience: self.patch(mutation, values, patience)

    def wanted(self, values: dict[str, Any], patience: int | None) -> bool:
        """Tell whether the match conditions hold; raises as `patch` does."""
        return self.applies(Evaluation(values, patience=patience))


class _Round(NamedTuple):
    """One policy with one binding and one parameter, to be asked once."""

    policy: MutatingPolicy
    binding: Binding
    param: Object | None


class MutatingDispatcher:
    """All MutatingAdmissionPolicies with their bindings."""

    def __init__(self, store: Reading, access: Authorizer, evaluator: Evaluator) -> None:
        """Carry out the policies of a store.

        Args:
            store: The cluster's objects.
            access: Answers ``authorizer``.
            evaluator: Runs the expressions.
        """
        self._store = store
        self._access = access
        self._evaluator = evaluator
        self._policies = Policies(store, MUTATING, MutatingPolicy)

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether a policy in force has a rule for such requests."""
        return operation != "DELETE" and self._policies.concern(operation, kind, subresource)

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Return the object as the policies have made it.

        A policy with ``reinvocationPolicy: IfNeeded`` is asked once more where another policy has
        changed the object after it.

        Raises:
            StatusError: A policy failed.
        """
        if attributes.object is None:
            return None
        given: dict[int, Object] = {}
        policies = self._policies.all()
        changed = False
        for again in (False, True):
            for policy in policies:
                if again:
                    seen = given.get(id(policy))
                    if policy.spec.get("reinvocationPolicy") != "IfNeeded" or seen is None:
                        continue
                    if seen is attributes.object or seen == attributes.object:
                        continue
                after = await self._policy(policy, attributes)
                if after is None:
                    continue
                changed = changed or after is not attributes.object
                attributes = replace(attributes, object=after)
                given[id(policy)] = after
            if not changed:
                break
        return attributes.object

    async def validate(self, attributes: Attributes) -> None:
        """Mutating policies have had their say."""

    async def _policy(self, policy: MutatingPolicy, attributes: Attributes) -> Object | None:
        """Return what a policy makes of an object; None when it is not about the request."""
        kind = policy.criteria.matched(attributes, self._store)
        if kind is None:
            return None
        if policy.error:
            if not policy.ignores_failure:
                raise _refused(attributes, policy, None, policy.error)
            return attributes.object
        concerned = False
        for binding in policy.bindings:
            if binding.criteria.matched(attributes, self._store) is None:
                continue
            concerned = True
            try:
                attributes = await self._binding(policy, binding, kind, attributes)
            except (ConfigurationError, MutationError) as error:
                if not policy.ignores_failure:
                    raise _refused(attributes, policy, binding, str(error)) from error
        return attributes.object if concerned else None

    async def _binding(
        self, policy: MutatingPolicy, binding: Binding, kind: Kind, attributes: Attributes
    ) -> Attributes:
        params = await params_of(
            policy.spec.get("paramKind"),
            binding.spec.get("paramRef"),
            attributes.namespace,
            self._store,
        )
        changed = attributes
        for param in params:
            round_ = _Round(policy, binding, param)
            # What failed half-way changes nothing.
            changed = await self._round(round_, kind, changed)
        return changed

    async def _round(self, round_: _Round, kind: Kind, attributes: Attributes) -> Attributes:
        policy = round_.policy
        try:
            seen = await converted(attributes, kind, self._store)
        except StatusError as error:
            raise MutationError(f"failed to convert object version: {error.message}") from error
        before = seen.object
        namespace = namespace_of_request(attributes, self._store)
        values = values_of(attributes, seen, namespace, self._access)
        values["params"] = round_.param
        try:
            if not await self._evaluator.evaluate(lambda left: policy.wanted(values, left)):
                return attributes
            for mutation in policy.mutations:
                patch = await self._evaluator.evaluate(policy.patching(mutation, values))
                values["object"] = _patched(values["object"], patch, seen)
        except (EvaluationError, OutOfBudgetError) as error:
            raise MutationError(str(error)) from error
        after = values["object"]
        if after is before or after == before:
            return attributes
        if kind is not attributes.kind:
            after = await self._store.conversion.one(after, attributes.kind)
        return replace(attributes, object=after)


def _patched(obj: Object, patch: dict[str, Any] | list[dict[str, Any]], seen: Attributes) -> Object:
    try:
        if isinstance(patch, list):
            patched = apply_json_patch(obj, patch)
        else:
            whole = not seen.subresource or seen.subresource == "status"
            patched = apply_configuration(obj, patch, schema_of(seen.kind) if whole else None)
        if not seen.subresource or seen.subresource == "status":
            patched = decode(patched, seen.kind, validation="Ignore").object
    except StatusError as error:
        raise MutationError(error.message) from error
    return patched


def _refused(
    attributes: Attributes, policy: Policy, binding: Binding | None, why: str
) -> StatusError:
    with_binding = f" with binding '{binding.name}'" if binding is not None else ""
    return refusal(
        attributes, f"policy '{policy.name}'{with_binding} denied request: {why}", "Invalid"
    )
