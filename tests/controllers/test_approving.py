"""Nodes' client certificates are approved by rules, and requests go once they are done with.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.access import RbacAuthorizer
from orchestrator.access.authority import Authority
from orchestrator.api import ensure_certificates
from orchestrator.controllers.certificates import (
    ApprovingController,
    decide_approval,
    decide_cleaning,
    decide_signing,
)
from orchestrator.resources.timestamps import format_time
from tests.api.test_access import signing_request

NOW = 1_800_000_000.0
RESOURCE = "certificatesigningrequests.certificates.k8s.io"
KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
NODE = "system:node:n1"

request_for = cache(signing_request)


def request(
    username: str = "system:bootstrap:abc",
    name: str = NODE,
    groups: tuple[str, ...] = ("system:nodes",),
    signer: str = KUBELET,
    usages: tuple[str, ...] = ("client auth", "digital signature"),
) -> dict[str, Any]:
    """Build a request for a certificate."""
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "a"},
        "spec": {
            "signerName": signer,
            "usages": list(usages),
            "request": request_for(name, *groups),
            "username": username,
            "groups": ["system:bootstrappers"],
        },
        "status": {},
    }


@pytest.mark.parametrize(
    ("asked", "may", "message"),
    [
        (request(), "nodeclient", "Auto approving kubelet client certificate"),
        (request(NODE), "selfnodeclient", "Auto approving self kubelet client certificate"),
        (request(NODE), "nodeclient", "Auto approving kubelet client certificate"),
        (request(), "selfnodeclient", None),
        (request(), "", None),
        (request(name="eve"), "nodeclient", None),
        (request(groups=("dev",)), "nodeclient", None),
        (request(usages=("server auth",)), "nodeclient", None),
        (request(signer="kubernetes.io/kube-apiserver-client"), "nodeclient", None),
        ({**request(), "status": {"conditions": [{"type": "Denied"}]}}, "nodeclient", None),
    ],
)
def test_nodes_are_approved_by_what_they_may_ask(
    asked: dict[str, Any], may: str, message: str | None
) -> None:
    """Only for a node's client certificate, and only after a SubjectAccessReview."""
    plan = decide_approval(asked, lambda _, attributes: attributes.subresource == may, NOW)
    if message is None:
        assert len(plan) == 0
        return
    (update,) = plan.update
    assert update.subresource == "approval"
    (condition,) = update.new["status"]["conditions"]
    assert condition == {
        "type": "Approved",
        "status": "True",
        "reason": "AutoApproved",
        "message": f"{message} after SubjectAccessReview.",
        "lastUpdateTime": format_time(NOW),
        "lastTransitionTime": format_time(NOW),
    }


@virtual
async def test_a_binding_lets_waiting_requests_through(worlds: Any) -> None:
    """Granting the nodeclient role to bootstrappers approves what they asked before, too."""
    async with worlds.world() as world:
        store = world.store
        world.system.spawn(
            lambda: ApprovingController(store, world.recorded, RbacAuthorizer(store)), "approving"
        )
        await store.create(request(), resource=RESOURCE, namespace="")
        await world.settle()
        found = world.get(RESOURCE, "a", "")
        assert not found["status"].get("conditions")
        api = "rbac.authorization.k8s.io"
        rule = {
            "verbs": ["create"],
            "apiGroups": ["certificates.k8s.io"],
            "resources": ["certificatesigningrequests/nodeclient"],
        }
        role = {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "nodeclient"},
            "rules": [rule],
        }
        binding = {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "nodes"},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "nodeclient"},
            "subjects": [
                {"kind": "User", "apiGroup": api, "name": found["spec"].get("username") or "x"}
            ],
        }
        await store.create(role, resource=f"clusterroles.{api}", namespace="")
        await store.create(binding, resource=f"clusterrolebindings.{api}", namespace="")
        await world.settle()
        (condition,) = world.get(RESOURCE, "a", "")["status"]["conditions"]
        assert condition["reason"] == "AutoApproved"


def test_a_request_goes_with_its_certificate(tmp_path: Path) -> None:
    """One whose certificate has expired is removed before its hour is over."""
    certificates = ensure_certificates(tmp_path, NOW)
    sign = Authority(certificates.ca_file, tmp_path / "ca.key").sign
    asked = request()
    asked["metadata"] |= {"uid": "u", "creationTimestamp": format_time(NOW)}
    asked["spec"]["expirationSeconds"] = 600
    (update,) = decide_approval(asked, lambda *_: True, NOW).update
    (update,) = decide_signing(update.new, sign, NOW).update
    assert base64.b64decode(update.new["status"]["certificate"]).startswith(b"-----BEGIN")
    assert decide_cleaning(update.new, NOW).requeue_after == 600
    (removal,) = decide_cleaning(update.new, NOW + 600).delete
    assert removal.object is update.new
