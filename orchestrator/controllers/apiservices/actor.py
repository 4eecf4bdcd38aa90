"""The controller that asks API servers behind APIServices whether they are there."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from orchestrator.controllers.apiservices.core import (
    PASSED,
    Availability,
    decide_by_objects,
    failed_check,
)
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan, Update
from orchestrator.egress import Call, CallError, Egress, resolve_service
from orchestrator.resources.conditions import set_condition
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, labels_of, spec_of, status_of, with_status
from orchestrator.resources.timestamps import format_time
from orchestrator.store import ObjectEvent, Store

API_SERVICES: Final = "apiservices.apiregistration.k8s.io"
_SLICES: Final = "endpointslices.discovery.k8s.io"
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
CHECK_EVERY: Final = 30.0
"""Seconds between two questions to a server that is there."""
CHECK_SECONDS: Final = 5.0


class AvailabilityController(Controller[str]):
    """Keeps the condition ``Available`` of every APIService.

    At most one question for each APIService is under way; its answer is one message.
    """

    resources = (API_SERVICES, "services", _SLICES)

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        egress: Egress,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(store, recorder)
        self._egress = egress
        self._certificate = certificate
        self._checked: dict[str, tuple[float, Availability]] = {}
        self._asking: set[str] = set()

    def observe(self, event: ObjectEvent) -> None:
        """Mark the APIServices that an event may concern."""
        resource, namespace, name = event.key
        if resource == API_SERVICES:
            if event.type == "DELETED":
                self._checked.pop(name, None)
            self.queue.mark(name)
            return
        if resource == _SLICES:
            name = labels_of(event.object).get(_SERVICE_LABEL, "")
        for api_service in self.store.list(API_SERVICES):
            named = spec_of(api_service).get("service") or {}
            if (named.get("namespace"), named.get("name")) == (namespace, name):
                key = api_service["metadata"]["name"]
                self._checked.pop(key, None)
                self.queue.mark(key)

    def learned(self, key: str, value: Any) -> None:
        """Remember how a server answered."""
        self._asking.discard(key)
        found = failed_check("it", str(value)) if isinstance(value, Exception) else value
        self._checked[key] = (self.context.clock.monotonic(), found)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one APIService."""
        api_service = self.store.get(API_SERVICES, "", key)
        if api_service is None:
            return None
        named = spec_of(api_service).get("service") or {}
        namespace, name = named.get("namespace", ""), named.get("name", "")
        service = self.store.get("services", namespace, name) if named else None
        slices = [
            one
            for one in (self.store.list(_SLICES, namespace) if service else ())
            if labels_of(one).get(_SERVICE_LABEL) == name
        ]
        found = decide_by_objects(api_service, service, slices)
        plan = Plan()
        if found is None:
            age, known = self._known(key)
            if age >= CHECK_EVERY:
                self._ask(key, api_service)
            else:
                plan.look_again(CHECK_EVERY - age)
            if known is None:
                return plan
            found = known
        conditions = status_of(api_service).get("conditions")
        new = set_condition(
            conditions,
            "Available",
            found.status,
            now=format_time(now),
            reason=found.reason,
            message=found.message,
        )
        if new is not conditions:
            wanted = with_status(api_service, conditions=new)
            plan.update.append(Update(API_SERVICES, api_service, wanted, "status"))
        return plan

    def _known(self, name: str) -> tuple[float, Availability | None]:
        checked = self._checked.get(name)
        if checked is None:
            return CHECK_EVERY, None
        return self.context.clock.monotonic() - checked[0], checked[1]

    def _ask(self, name: str, api_service: Object) -> None:
        if name in self._asking:
            return
        self._asking.add(name)
        self.learn(name, self._check(api_service))

    async def _check(self, api_service: Object) -> Availability:
        spec = spec_of(api_service)
        named = spec["service"]
        port = named.get("port") or 443
        path = f"/apis/{spec.get('group', '')}/{spec.get('version', '')}"
        try:
            upstream = resolve_service(
                self.store, named["namespace"], named["name"], port, self._egress.chance
            )
        except StatusError as error:
            return failed_check(path, error.message)
        url = f"https://{upstream.host}:{upstream.port}{path}"
        try:
            bundle = base64.b64decode(spec.get("caBundle") or "", validate=True)
            answer = await self._egress.request(
                Call(
                    "GET",
                    f"https://{upstream.server_name}:{port}{path}",
                    timeout=CHECK_SECONDS,
                    upstream=upstream,
                    ca_bundle=bundle,
                    verify=not spec.get("insecureSkipTLSVerify"),
                    certificate=self._certificate,
                )
            )
        except (CallError, binascii.Error) as error:
            return failed_check(url, str(error))
        # A server that asks who we are is there.
        if answer.status in (401, 403) or 200 <= answer.status < 300:
            return PASSED
        return failed_check(url, f"bad status from {url}: {answer.status}")
