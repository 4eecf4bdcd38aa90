"""The hooks of admission that policies are.

The compiler and what evaluates are loaded with the first policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.access import Authorizer
from orchestrator.policies.threads import Evaluator
from orchestrator.resources.objects import Object
from orchestrator.store.admission.hooks import Attributes, Hook
from orchestrator.store.admission.late import LateHook

if TYPE_CHECKING:
    from orchestrator.policies.matching import Reading

VALIDATING: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
MUTATING: Final = "mutatingadmissionpolicies.admissionregistration.k8s.io"


class ValidatingPolicies(LateHook):
    """All ValidatingAdmissionPolicies with their bindings."""

    def __init__(
        self, store: Reading, access: Authorizer, evaluator: Evaluator | None = None
    ) -> None:
        """Enforce the policies of a store.

        Args:
            store: The cluster's objects.
            access: Answers ``authorizer``.
            evaluator: Runs the expressions.
        """

        def load() -> Hook:
            from orchestrator.policies.validating import ValidatingDispatcher

            return ValidatingDispatcher(store, access, evaluator or Evaluator())

        super().__init__(store, VALIDATING, load)


class MutatingPolicies(LateHook):
    """All MutatingAdmissionPolicies with their bindings."""

    def __init__(
        self, store: Reading, access: Authorizer, evaluator: Evaluator | None = None
    ) -> None:
        """Enforce the policies of a store; as `ValidatingPolicies`."""

        def load() -> Hook:
            from orchestrator.policies.mutating import MutatingDispatcher

            return MutatingDispatcher(store, access, evaluator or Evaluator())

        super().__init__(store, MUTATING, load)


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
