"""Mutating and validating admission webhooks, called for real.

Mutating webhooks are asked one after another, by the names of their configurations and their order
inside; one that wants to be asked again (``reinvocationPolicy: IfNeeded``) is, once, where another
changed the object after it. Validating webhooks are asked all at once.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Final, Protocol

from actors import get_logger
from orchestrator.resources.decoding import decode
from orchestrator.resources.errors import StatusError, bad_request, internal_error
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import apply_json_patch
from orchestrator.store import Store
from orchestrator.store.admission import AdmissionOperation, Attributes
from orchestrator.store.admission.matching import (
    is_exempt,
    matched_kind,
    namespace_matches,
    namespace_name,
    object_matches,
)
from orchestrator.webhooks.client import WebhookClient, WebhookError
from orchestrator.webhooks.matching import Webhook
from orchestrator.webhooks.reviews import (
    ReviewError,
    Verdict,
    denial,
    read_review,
    review_request,
    review_version,
)

MUTATING: Final = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
VALIDATING: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"


class Conditions(Protocol):
    """Evaluates ``matchConditions``."""

    def __call__(self, conditions: list[Object], attributes: Attributes) -> bool:
        """Tell whether all conditions hold.

        Raises:
            StatusError: One could not be evaluated, and none was false.
        """


class _Webhooks:
    """What both kinds of webhooks have in common."""

    resource: str
    mutating: bool

    def __init__(
        self, store: Store, client: WebhookClient, conditions: Conditions | None = None
    ) -> None:
        """Ask the webhooks that ``store`` has configurations of.

        Args:
            store: The cluster's objects.
            client: Calls the webhooks.
            conditions: Evaluates match conditions.
        """
        self._store = store
        self._client = client
        self._conditions = conditions
        self._known: dict[int, tuple[Object, list[Webhook]]] = {}
        self._log = get_logger("orchestrator.webhooks")

    def webhooks(self) -> list[Webhook]:
        """Return all webhooks, in the order in which they are asked."""
        configurations = self._store.list(self.resource)
        if not configurations:
            return []
        known, self._known = self._known, {}
        found: list[Webhook] = []
        for configuration in configurations:
            entry = known.get(id(configuration))
            if entry is None:
                name = configuration["metadata"]["name"]
                hooks = [Webhook(name, raw) for raw in configuration.get("webhooks") or ()]
                entry = configuration, hooks
            self._known[id(configuration)] = entry
            found += entry[1]
        return found

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether any webhook has a rule for such requests."""
        hooks = self.webhooks()
        return bool(hooks) and any(
            self._kind(hook, operation, kind, subresource) is not None for hook in hooks
        )

    def _kind(
        self, hook: Webhook, operation: AdmissionOperation, kind: Kind, subresource: str
    ) -> Kind | None:
        if is_exempt(kind):
            return None
        return matched_kind(
            hook.rules,
            operation,
            kind,
            subresource,
            self._store.registry,
            equivalent=hook.equivalent,
        )

    async def _wanted(self, hook: Webhook, attributes: Attributes) -> Attributes | None:
        """Return the request as a webhook wants to see it; None when it does not concern it.

        Raises:
            StatusError: 500, its conditions or the conversion failed.
        """
        kind = self._kind(hook, attributes.operation, attributes.kind, attributes.subresource)
        if kind is None or not object_matches(hook.objects, attributes):
            return None
        if not hook.namespaces.empty:
            namespace = self._store.get("namespaces", "", namespace_name(attributes))
            if not namespace_matches(hook.namespaces, attributes, namespace):
                return None
        seen = await self._converted(attributes, kind)
        conditions = hook.raw.get("matchConditions")
        if conditions and not self._hold(hook, conditions, seen):
            return None
        return seen

    def _hold(self, hook: Webhook, conditions: list[Object], attributes: Attributes) -> bool:
        if self._conditions is None:
            raise internal_error(
                f'webhook "{hook.name}" has match conditions, which this server does not evaluate'
            )
        try:
            return self._conditions(conditions, attributes)
        except StatusError:
            if hook.ignores_failure:
                return False
            raise

    async def _converted(self, attributes: Attributes, kind: Kind) -> Attributes:
        if kind is attributes.kind or attributes.subresource not in ("", "status"):
            return attributes
        one = self._store.conversion.one
        obj, old = attributes.object, attributes.old
        return replace(
            attributes,
            kind=kind,
            object=await one(obj, kind) if obj is not None else None,
            old=await one(old, kind) if old is not None else None,
        )

    async def _ask(self, hook: Webhook, asked: Kind, attributes: Attributes) -> Verdict | None:
        """Ask one webhook; None when it could not be asked and that is to be ignored.

        Raises:
            StatusError: It refuses, or could not be asked.
        """
        if attributes.dry_run and not hook.is_dry:
            raise bad_request(f'admission webhook "{hook.name}" does not support dry run')
        try:
            verdict = await self._answer(hook, asked, attributes)
        except WebhookError as error:
            self._failed(hook, str(error))
            return None
        attributes.caller.warnings.extend(verdict.warnings)
        if not verdict.allowed:
            raise denial(hook.name, verdict.status)
        return verdict

    async def _answer(self, hook: Webhook, asked: Kind, attributes: Attributes) -> Verdict:
        # Identifiers that only the other side reads need not repeat with the seed.
        uid = str(uuid.uuid4())
        try:
            version = review_version(hook.raw)
        except ReviewError as error:
            raise WebhookError(f"could not create admission objects: {error}") from error
        review = review_request(replace(attributes, kind=asked), attributes.kind, uid, version)
        try:
            answer = await self._client.post(
                hook.raw.get("clientConfig") or {}, review, hook.timeout
            )
        except WebhookError as error:
            raise WebhookError(f"failed to call webhook: {error}") from error
        try:
            return read_review(answer, uid, version, mutating=self.mutating)
        except ReviewError as error:
            raise WebhookError(f"received invalid webhook response: {error}") from error

    def _failed(self, hook: Webhook, why: str) -> None:
        text = f'failed calling webhook "{hook.name}": {why}'
        if hook.ignores_failure:
            self._log.warning("webhook failed, and is ignored", webhook=hook.name, error=why)
            return
        raise internal_error(text)


class MutatingWebhooks(_Webhooks):
    """The webhooks of all MutatingWebhookConfigurations, as one hook of admission."""

    resource = MUTATING
    mutating = True

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Return the object as the webhooks have made it."""
        hooks = self.webhooks()
        changed_by: int | None = None
        ran: dict[int, Object | None] = {}
        for at, hook in enumerate(hooks):
            after = await self._apply(hook, attributes, ran, at)
            if after is not attributes.object:
                attributes = replace(attributes, object=after)
                changed_by = at
        if changed_by is None:
            return attributes.object
        for at, hook in enumerate(hooks):
            if hook.raw.get("reinvocationPolicy") == "IfNeeded" and at in ran:
                # Asked again only about what others have done since.
                if ran[at] is attributes.object or ran[at] == attributes.object:
                    continue
                after = await self._apply(hook, attributes, {}, at)
                attributes = replace(attributes, object=after)
        return attributes.object

    async def validate(self, attributes: Attributes) -> None:
        """Mutating webhooks have had their say."""

    async def _apply(
        self, hook: Webhook, attributes: Attributes, ran: dict[int, Object | None], at: int
    ) -> Object | None:
        seen = await self._wanted(hook, attributes)
        if seen is None:
            return attributes.object
        verdict = await self._ask(hook, attributes.kind, seen)
        if verdict is None or not verdict.patch or seen.object is None:
            ran[at] = attributes.object
            return attributes.object
        try:
            patched = apply_json_patch(seen.object, verdict.patch)
            if not attributes.subresource or attributes.subresource == "status":
                patched = decode(patched, seen.kind, validation="Ignore").object
        except StatusError as error:
            raise internal_error(error.message) from error
        if seen.kind is not attributes.kind:
            patched = await self._store.conversion.one(patched, attributes.kind)
        if patched == attributes.object:
            patched = attributes.object
        ran[at] = patched
        return patched


class ValidatingWebhooks(_Webhooks):
    """The webhooks of all ValidatingWebhookConfigurations, as one hook of admission."""

    resource = VALIDATING
    mutating = False

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Validating webhooks change nothing."""
        return attributes.object

    async def validate(self, attributes: Attributes) -> None:
        """Ask all webhooks at once.

        Raises:
            StatusError: What the first of them refuses with.
        """
        wanted = []
        for hook in self.webhooks():
            seen = await self._wanted(hook, attributes)
            if seen is not None:
                wanted.append((hook, seen))
        if len(wanted) == 1:
            await self._ask(wanted[0][0], attributes.kind, wanted[0][1])
            return
        results = await asyncio.gather(
            *(self._ask(hook, attributes.kind, seen) for hook, seen in wanted),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
