"""Who makes a request, as authentication found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """One user, in the terms of ``authentication.k8s.io`` ``UserInfo``.

    Attributes:
        name: ``kubernetes-admin``, ``system:serviceaccount:default:build``.
        uid: Empty where the way of authentication knows none.
        groups: What role bindings and policies look at besides the name.
        extra: Further facts of the way of authentication, each a list of texts.
    """

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ADMIN: Final = User("kubernetes-admin", groups=("system:masters", "system:authenticated"))
"""Whoever holds the cluster's own token, by the name that kubeadm and kind give theirs."""

CONTROLLER_MANAGER: Final = User("system:kube-controller-manager", groups=("system:authenticated",))
"""The cluster's own controllers, towards policies and webhooks."""
