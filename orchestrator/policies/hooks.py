"""The hooks of admission that policies are.

The compiler and what evaluates are loaded with the first policy: most clusters never have one, and
none should start later for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from orchestrator.access import Authorizer
from orchestrator.policies.matching import Reading
from orchestrator.policies.threads import Evaluator
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store.admission import AdmissionOperation, Attributes, Hook

VALIDATING: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
MUTATING: Final = "mutatingadmissionpolicies.admissionregistration.k8s.io"


class _Policies(ABC):
    """What both kinds of policies have in common."""

    resource: str

    def __init__(
        self, store: Reading, access: Authorizer, evaluator: Evaluator | None = None
    ) -> None:
        """Enforce the policies of a store.

        Args:
            store: The cluster's objects.
            access: Answers ``authorizer``.
            evaluator: Runs the expressions.
        """
        self._store = store
        self._access = access
        self._evaluator = evaluator or Evaluator()
        self._hook: Hook | None = None

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether a policy in force has a rule for such requests."""
        if self._hook is None:
            if not self._store.list(self.resource):
                return False
            self._hook = self._load()
        return self._hook.concerns(operation, kind, subresource)

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Return the object as the policies have made it.

        Raises:
            StatusError: A policy failed.
        """
        return attributes.object if self._hook is None else await self._hook.mutate(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Hold a request to every policy.

        Raises:
            StatusError: What the first denial says.
        """
        if self._hook is not None:
            await self._hook.validate(attributes)

    @abstractmethod
    def _load(self) -> Hook:
        """Return what enforces the policies; called once, with the first of them."""


class ValidatingPolicies(_Policies):
    """All ValidatingAdmissionPolicies with their bindings."""

    resource = VALIDATING

    def _load(self) -> Hook:
        from orchestrator.policies.validating import ValidatingDispatcher

        return ValidatingDispatcher(self._store, self._access, self._evaluator)


class MutatingPolicies(_Policies):
    """All MutatingAdmissionPolicies with their bindings."""

    resource = MUTATING

    def _load(self) -> Hook:
        from orchestrator.policies.mutating import MutatingDispatcher

        return MutatingDispatcher(self._store, self._access, self._evaluator)


class MatchConditions:
    """Tells whether the conditions of a webhook hold for a request."""

    def __init__(self, store: Reading, access: Authorizer) -> None:
        """Evaluate with the objects of a store; ``access`` answers ``authorizer``."""
        self._store = store
        self._access = access

    def __call__(self, conditions: list[Object], attributes: Attributes) -> bool:
        """Tell whether all conditions hold.

        Raises:
            StatusError: 403, one could not be evaluated, and none was false.
        """
        from orchestrator.policies.conditions import conditions_hold

        return conditions_hold(conditions, attributes, self._store, self._access)
