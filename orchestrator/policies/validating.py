"""ValidatingAdmissionPolicies, as soon as there are some.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from actors import get_logger
from orchestrator.access import Authorizer
from orchestrator.policies.compiled import Binding, Policies, Policy
from orchestrator.policies.evaluating import Evaluation, OutOfBudgetError
from orchestrator.policies.hooks import VALIDATING
from orchestrator.policies.inputs import values_of
from orchestrator.policies.matching import Reading, converted, namespace_of_request
from orchestrator.policies.params import ConfigurationError, params_of
from orchestrator.policies.threads import Evaluator
from orchestrator.resources.cel.admission import annotation, condition, message
from orchestrator.resources.cel.environments import Program
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store.admission import AdmissionOperation, Attributes

_CODES: Final = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}
_LONGEST_MESSAGE: Final = 5 * 1024
_LONGEST_ANNOTATION: Final = 10 * 1024


class Validation(NamedTuple):
    """One validation, compiled."""

    form: dict[str, Any]
    program: Program
    message: Program | None


class Decision(NamedTuple):
    """A denial.

    Attributes:
        message: Why.
        reason: Upstream's reason, ``Forbidden``.
        at: Index of the validation; -1 for none.
    """

    message: str
    reason: str = ""
    at: int = -1


class Denial(NamedTuple):
    """A decision, and whose it is."""

    policy: Policy
    binding: Binding | None
    decision: Decision


class ValidatingPolicy(Policy):
    """One ValidatingAdmissionPolicy."""

    def compile(self) -> None:
        """Compile validations and audit annotations."""
        names = self.names
        self.validations = [
            Validation(
                form,
                condition(form["expression"], names),
                message(form["messageExpression"], names._replace(authorizer=False))
                if form.get("messageExpression")
                else None,
            )
            for form in self.spec.get("validations") or ()
        ]
        self.annotations = [
            (form["key"], annotation(form["valueExpression"], names))
            for form in self.spec.get("auditAnnotations") or ()
        ]

    def decide(
        self, values: dict[str, Any], patience: int | None
    ) -> tuple[list[Decision], dict[str, str]]:
        """Return the denials and the audit annotations that it gives.

        Raises:
            TooLongError: It takes more than patience.
        """
        evaluation = Evaluation(values, self.variables, patience=patience)
        try:
            if not self.applies(evaluation):
                return [], {}
            denials = list(self._denials(evaluation))
            return denials, self._annotated(evaluation, denials)
        except (EvaluationError, OutOfBudgetError) as error:
            return [] if self.ignores_failure else [Decision(str(error))], {}

    def _denials(self, evaluation: Evaluation) -> Iterable[Decision]:
        for index, validation in enumerate(self.validations):
            try:
                holds = evaluation.told(validation.program)
            except EvaluationError as error:
                if not self.ignores_failure:
                    yield Decision(str(error), at=index)
                continue
            if holds is not True:
                told = _message(validation, evaluation)
                yield Decision(told, validation.form.get("reason") or "Invalid", index)

    def _annotated(self, evaluation: Evaluation, denials: list[Decision]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, program in self.annotations:
            try:
                value = evaluation.told(program)
            except EvaluationError as error:
                if not self.ignores_failure:
                    denials.append(Decision(str(error)))
                continue
            if isinstance(value, str) and value.strip():
                found[f"{self.name}/{key}"] = value.strip()[:_LONGEST_ANNOTATION]
        return found


def _message(validation: Validation, evaluation: Evaluation) -> str:
    text = ""
    if validation.message is not None:
        try:
            made = evaluation.run(validation.message)
        except EvaluationError:
            made = ""
        text = made.strip() if isinstance(made, str) else ""
        if "\n" in text or len(text.encode()) > _LONGEST_MESSAGE:
            text = ""
    text = text or str(validation.form.get("message") or "").strip()
    return text or f"failed expression: {validation.form['expression'].strip()}"


class ValidatingDispatcher:
    """All ValidatingAdmissionPolicies with their bindings."""

    def __init__(self, store: Reading, access: Authorizer, evaluator: Evaluator) -> None:
        """Enforce the policies of a store.

        Args:
            store: The cluster's objects.
            access: Answers ``authorizer``.
            evaluator: Runs the expressions.
        """
        self._store = store
        self._access = access
        self._evaluator = evaluator
        self._policies = Policies(store, VALIDATING, ValidatingPolicy)
        self._log = get_logger("orchestrator.policies")

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether a policy in force has a rule for such requests."""
        return self._policies.concern(operation, kind, subresource)

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Validating policies change nothing."""
        return attributes.object

    async def validate(self, attributes: Attributes) -> None:
        """Hold a request to every policy.

        Raises:
            StatusError: What the first denial says.
        """
        denials: list[Denial] = []
        for policy in self._policies.all():
            kind = policy.criteria.matched(attributes, self._store)
            if kind is not None:
                await self._policy(policy, kind, attributes, denials)
        if denials:
            raise _refused(attributes, denials[0])

    async def _policy(
        self, policy: ValidatingPolicy, kind: Kind, attributes: Attributes, denials: list[Denial]
    ) -> None:
        def misconfigured(error: Exception | str, binding: Binding | None) -> None:
            if not policy.ignores_failure:
                what = "policy" if binding is None else "binding"
                text = f"failed to configure {what}: {error}"
                denials.append(Denial(policy, binding, Decision(text)))

        if policy.error:
            misconfigured(policy.error, None)
            return
        try:
            seen = await converted(attributes, kind, self._store)
        except StatusError as error:
            misconfigured(f"failed to convert object version: {error.message}", None)
            return
        values: dict[str, Any] | None = None
        for binding in policy.bindings:
            if binding.criteria.matched(attributes, self._store) is None:
                continue
            try:
                params = await params_of(
                    policy.spec.get("paramKind"),
                    binding.spec.get("paramRef"),
                    attributes.namespace,
                    self._store,
                )
            except ConfigurationError as error:
                misconfigured(error, binding)
                continue
            if values is None:
                namespace = namespace_of_request(attributes, self._store)
                values = values_of(attributes, seen, namespace, self._access)
            for param in params:
                given = {**values, "params": param}
                await self._binding(policy, binding, given, attributes, denials)

    async def _binding(
        self,
        policy: ValidatingPolicy,
        binding: Binding,
        values: dict[str, Any],
        attributes: Attributes,
        denials: list[Denial],
    ) -> None:
        decisions, annotations = await self._evaluator.evaluate(
            lambda patience: policy.decide(values, patience)
        )
        actions = binding.spec.get("validationActions") or ()
        for decision in decisions:
            if "Deny" in actions or decision.at < 0:
                denials.append(Denial(policy, binding, decision))
            if "Warn" in actions:
                attributes.caller.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with "
                    f"binding '{binding.name}': {decision.message}"
                )
            if "Audit" in actions:
                self._audit(policy, binding, decision, attributes)
        if annotations:
            self._log.info(
                "audit annotations of a policy",
                name=attributes.name,
                namespace=attributes.namespace,
                annotations=annotations,
            )

    def _audit(
        self, policy: Policy, binding: Binding, decision: Decision, attributes: Attributes
    ) -> None:
        # There is no audit log: what would stand there goes to the program's own.
        self._log.info(
            "validation.policy.admission.k8s.io/validation_failure",
            message=decision.message,
            policy=policy.name,
            binding=binding.name,
            expressionIndex=decision.at,
            validationActions=binding.spec.get("validationActions"),
            resource=attributes.kind.resource,
            namespace=attributes.namespace,
            name=attributes.name,
        )


def _refused(attributes: Attributes, denial: Denial) -> StatusError:
    with_binding = f" with binding '{denial.binding.name}'" if denial.binding else ""
    told = (
        f"ValidatingAdmissionPolicy '{denial.policy.name}'{with_binding} denied request: "
        f"{denial.decision.message}"
    )
    return refusal(attributes, told, denial.decision.reason or "Invalid")


def refusal(attributes: Attributes, told: str, reason: str) -> StatusError:
    """Return what a denied request is answered with.

    Args:
        attributes: The request.
        told: Who denies it and why.
        reason: Upstream's reason, which decides the code.
    """
    metadata = (attributes.object or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name") or metadata.get("generateName") or ""
    kind = attributes.kind
    details: dict[str, Any] = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.plural
    details["causes"] = [{"message": told}]
    text = f'{kind.resource} "{name}" is forbidden: {told}'
    return StatusError(_CODES.get(reason, 422), reason, text, details)
