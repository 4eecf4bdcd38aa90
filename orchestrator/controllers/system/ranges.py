"""The controller of ServiceCIDRs: whether they are ready, and when one may go.

Addresses are given out by the store, from the range the cluster was started with: a ServiceCIDR
outside of it is told so, instead of being called ready.
Rules and texts: k8s.io/kubernetes/pkg/controller/servicecidrs.
https://kubernetes.io/docs/reference/networking/virtual-ips/#ip-address-objects
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan, Update
from orchestrator.controllers.system.addresses import ADDRESSES
from orchestrator.controllers.system.core import RANGES
from orchestrator.resources.conditions import set_condition
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    meta,
    name_of,
    spec_of,
    status_of,
    with_meta,
    with_status,
)
from orchestrator.resources.timestamps import format_time, parse_time
from orchestrator.store import ObjectEvent, Store

FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
GRACE: Final = 10.0
"""Seconds a range that is deleted stays, for addresses that are just being given out."""

_DEFAULT: Final = "kubernetes"
_READY: Final = "Kubernetes Service CIDR is ready"
_IN_USE: Final = (
    "There are still IPAddresses referencing the ServiceCIDR, "
    "please remove them or create a new ServiceCIDR"
)


def decide_range(
    wanted: Object, others: Iterable[Object], addresses: Iterable[str], served: str, now: float
) -> Plan:
    """Return the condition and the finalizer of a ServiceCIDR.

    Args:
        wanted: As committed.
        others: The other ServiceCIDRs.
        addresses: Names of all IPAddresses.
        served: The range that addresses are given out from, in CIDR form.
        now: Wall seconds.
    """
    plan = Plan()
    finalizers = meta(wanted).get("finalizers") or []
    if not is_deleting(wanted):
        if FINALIZER not in finalizers:
            guarded = with_meta(wanted, finalizers=[*finalizers, FINALIZER])
            plan.update.append(Update(RANGES, wanted, guarded))
        elif name_of(wanted) != _DEFAULT:  # of which who makes it says that it is ready
            _say(plan, wanted, *_readiness(wanted, served), now)
        return plan
    if FINALIZER not in finalizers:
        return plan
    if _is_in_use(wanted, others, addresses):
        _say(plan, wanted, "False", "Terminating", _IN_USE, now)
        return plan
    left = parse_time(meta(wanted)["deletionTimestamp"]) + GRACE - now
    if left > 0:
        plan.look_again(left)
        return plan
    kept = [one for one in finalizers if one != FINALIZER]
    plan.update.append(Update(RANGES, wanted, with_meta(wanted, finalizers=kept)))
    return plan


def _readiness(wanted: Object, served: str) -> tuple[str, str, str]:
    whole = ipaddress.ip_network(served)
    if all(_holds(whole, network) for network in _networks(wanted)):
        return "True", "", _READY
    message = f"addresses of Services come from {served} only, which does not hold this range"
    return "False", "OutsideServiceRange", message


def _say(plan: Plan, wanted: Object, status: str, reason: str, message: str, now: float) -> None:
    present = status_of(wanted).get("conditions")
    conditions = set_condition(
        present, "Ready", status, now=format_time(now), reason=reason, message=message
    )
    if conditions is not present:
        said = with_status(wanted, conditions=conditions)
        plan.update.append(Update(RANGES, wanted, said, "status"))


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(wanted: Object) -> list[_Network]:
    return [ipaddress.ip_network(text) for text in spec_of(wanted).get("cidrs") or ()]


def _holds(whole: _Network, part: _Network) -> bool:
    return (
        whole.version == part.version
        and whole.network_address <= part.network_address  # type: ignore[operator] # of one version
        and part.broadcast_address <= whole.broadcast_address  # type: ignore[operator] # of one version
    )


def _is_in_use(wanted: Object, others: Iterable[Object], addresses: Iterable[str]) -> bool:
    """Tell whether some address is in this range and in none that stays."""
    own = _networks(wanted)
    stay = [network for other in others if not is_deleting(other) for network in _networks(other)]
    for text in addresses:
        address = ipaddress.ip_address(text)
        if any(address in each for each in own) and not any(address in each for each in stay):
            return True
    return False


class ServiceRanges(Controller[str]):
    """Says of each ServiceCIDR whether it is ready, and keeps one whose addresses are in use.

    Keys are their names; IPAddresses are looked at only while one is being deleted.
    """

    resources = (RANGES, ADDRESSES)

    def __init__(self, store: Store, recorder: Recorder, served: str) -> None:
        super().__init__(store, recorder)
        self._served = served

    def reset(self) -> None:
        """Forget which ranges are being deleted."""
        self._ending: dict[str, None] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark a range, and those that wait for addresses or other ranges."""
        if event.key.resource == RANGES:
            name = event.key.name
            if event.type != "DELETED" and is_deleting(event.object):
                self._ending[name] = None
            else:
                self._ending.pop(name, None)
            self.queue.mark(name)
        elif event.type != "DELETED":
            return
        for waiting in self._ending:
            self.queue.mark(waiting)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one range."""
        found = self.store.get(RANGES, "", key)
        if found is None:
            return None
        others = [each for each in self.store.list(RANGES) if name_of(each) != key]
        addresses = map(name_of, self.store.list(ADDRESSES)) if is_deleting(found) else ()
        return decide_range(found, others, addresses, self._served, now)
