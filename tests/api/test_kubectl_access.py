"""Real kubectls as different users: tokens, certificates, impersonation, roles."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.conftest import Kubectl

pytestmark = pytest.mark.e2e


def as_user(kube: Kubectl, home: Path, name: str, user: dict[str, Any]) -> str:
    """Write a kubeconfig for the same cluster and another user; returns its path."""
    config = yaml.safe_load(kube.kubeconfig.read_text())
    config["users"][0]["user"] = user
    path = home / f"kubeconfig-{name}"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def who_am_i(kube: Kubectl, *flags: str, **environment: str) -> dict[str, Any]:
    """Ask who the API server takes one for; older kubectls ask for a version long gone."""
    if kube.minor >= 28:
        review = kube.run("auth", "whoami", "-o", "json", *flags, code=0, **environment)
    else:
        file = kube.home / "review.json"
        file.write_text('{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}')
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        words = ("create", f"--raw={path}", "-f", str(file), *flags)
        review = kube.run(*words, code=0, **environment)
    found: dict[str, Any] = json.loads(review)["status"]["userInfo"]
    return found


def test_whoami_and_acting_as_others(kube: Kubectl) -> None:
    """`auth whoami`, `--as`, `--as-group`, `--as-uid`."""
    assert "system:masters" in who_am_i(kube)["groups"]
    assert who_am_i(kube, "--as=jo", "--as-group=dev", "--as-uid=7") == {
        "username": "jo",
        "uid": "7",
        "groups": ["dev", "system:authenticated"],
    }
    refused = kube.run("get", "pods", "--as=jo", code=1)
    assert refused.startswith(
        'Error from server (Forbidden): pods is forbidden: User "jo" cannot list resource "pods" '
        f'in API group "" in the namespace "{kube.namespace}"'
    )


def test_roles_bindings_and_can_i_in_every_form(kube: Kubectl) -> None:
    """Everything that `kubectl create` and `auth can-i` know about roles."""
    place = kube.namespace
    kube.run("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
    kube.run("create", "rolebinding", "reader", "--role=reader", "--user=jo")
    cluster = f"nodes-{place}"
    kube.run("create", "clusterrole", cluster, "--verb=get", "--resource=nodes")
    kube.run("create", "clusterrole", f"{cluster}-url", "--verb=get", "--non-resource-url=/metrics")
    kube.run("create", "clusterrolebinding", cluster, f"--clusterrole={cluster}", "--group=ops")

    def can(*words: str, code: int = 0) -> str:
        return kube.run("auth", "can-i", *words, code=code).split()[0]

    assert can("create", "deployments.apps") == "yes"
    assert can("list", "pods", "--as=jo") == "yes"
    assert can("get", "pods/log", "--as=jo") == "yes"
    assert can("get", "pods", "--subresource=log", "--as=jo") == "yes"
    assert can("list", "pods", "--as=jo", "-A", code=1) == "no"
    assert can("delete", "pods", "--as=jo", code=1) == "no"
    assert can("get", "nodes", "--as=jo", "--as-group=ops") == "yes"
    assert can("get", "/version", "--as=jo") == "yes"
    assert can("get", "/metrics", "--as=jo", code=1) == "no"
    kube.run("auth", "can-i", "list", "pods", "--as=jo", "--quiet")
    listed = kube.run("auth", "can-i", "--list", "--as=jo")
    rows = {line.split()[0]: line for line in listed.splitlines() if line.strip()}
    assert "[get list]" in rows["pods/log"]
    assert "[create]" in rows["selfsubjectaccessreviews.authorization.k8s.io"]
    assert "*.*" in kube.run("auth", "can-i", "--list")
    described = kube.run("describe", "role", "reader")
    assert "pods/log" in described
    assert "[get list]" in described
    refused = kube.run(
        "create", "role", "more", "--verb=*", "--resource=secrets", "--as=jo", code=1
    )
    assert 'User "jo" cannot create resource "roles"' in refused


def test_an_edit_user_edits_and_no_more(kube: Kubectl, tmp_path: Path) -> None:
    """The default roles are real: edit does not reach roles, and grants end where they should."""
    kube.run("create", "rolebinding", "ann", "--clusterrole=edit", "--user=ann")
    kube.run("create", "deployment", "web", "--image=x", "--as=ann")
    kube.run("scale", "deployment", "web", "--replicas=2", "--as=ann")
    kube.run("get", "deploy,pods,secrets", "--as=ann")
    refused = kube.run("get", "roles", "--as=ann", code=1)
    assert 'cannot list resource "roles" in API group "rbac.authorization.k8s.io"' in refused
    kube.run("create", "rolebinding", "bob", "--clusterrole=admin", "--user=bob")
    kube.run("create", "rolebinding", "carl", "--clusterrole=view", "--user=carl", "--as=bob")
    refused = kube.run(
        "create",
        "rolebinding",
        "dan",
        "--clusterrole=cluster-admin",
        "--user=dan",
        "--as=bob",
        code=1,
    )
    assert "is attempting to grant RBAC permissions not currently held" in refused
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in refused


def test_auth_reconcile(newest: Kubectl, tmp_path: Path) -> None:
    """It adds what is missing and, when told, takes away what is too much."""
    file = tmp_path / "roles.yaml"
    file.write_text(
        f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: watcher, namespace: {newest.namespace}}}
rules:
- {{apiGroups: [""], resources: [pods], verbs: [watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: watcher, namespace: {newest.namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: watcher}}
subjects:
- {{kind: User, name: jo, apiGroup: rbac.authorization.k8s.io}}
"""
    )
    newest.run("create", "role", "watcher", "--verb=list", "--resource=pods")
    assert "reconciled" in newest.run("auth", "reconcile", "-f", str(file))
    role = json.loads(newest.run("get", "role", "watcher", "-o", "json"))
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    newest.run("auth", "reconcile", "-f", str(file), "--remove-extra-permissions")
    role = json.loads(newest.run("get", "role", "watcher", "-o", "json"))
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"watch"}
    assert newest.run("auth", "can-i", "watch", "pods", "--as=jo").strip().endswith("yes")


def test_a_service_account_works_by_its_token(kube: Kubectl, tmp_path: Path) -> None:
    """`create token` with its options, then a kubeconfig with what it printed."""
    kube.run("create", "serviceaccount", "bot")
    account = f"system:serviceaccount:{kube.namespace}:bot"
    kube.run(
        "create",
        "rolebinding",
        "bot",
        "--clusterrole=view",
        f"--serviceaccount={kube.namespace}:bot",
    )
    token = kube.run("create", "token", "bot", "--duration=20m").strip()
    config = as_user(kube, tmp_path, "bot", {"token": token})
    assert who_am_i(kube, KUBECONFIG=config)["username"] == account
    assert "No resources found" in kube.run("get", "pods", KUBECONFIG=config)
    refused = kube.run("create", "configmap", "a", code=1, KUBECONFIG=config)
    assert f'User "{account}" cannot create resource "configmaps"' in refused
    kube.run("create", "secret", "generic", "anchor")
    bound = ("--bound-object-kind=Secret", "--bound-object-name=anchor", "--audience=vault")
    kube.run("create", "token", "bot", *bound)
    short = kube.run("create", "token", "bot", "--duration=1m", code=1)
    assert "may not specify a duration less than 10 minutes" in short
    kube.run("delete", "serviceaccount", "bot")
    gone = kube.run("get", "pods", code=1, KUBECONFIG=config)
    assert "must be logged in" in gone or "Unauthorized" in gone


def test_a_secret_of_a_service_account_is_filled(newest: Kubectl, tmp_path: Path) -> None:
    """The old way: a token without end, until its Secret or its account goes."""
    file = tmp_path / "secret.yaml"
    file.write_text(
        """\
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: old, annotations: {kubernetes.io/service-account.name: bot}}
"""
    )
    newest.run("create", "serviceaccount", "bot")
    newest.run("apply", "-f", str(file))
    newest.run("wait", "--for=jsonpath={.data.token}", "secret/old", "--timeout=10s")
    secret = json.loads(newest.run("get", "secret", "old", "-o", "json"))
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert data["namespace"] == newest.namespace
    assert data["ca.crt"].startswith("-----BEGIN CERTIFICATE")
    config = as_user(newest, tmp_path, "old", {"token": data["token"]})
    assert who_am_i(newest, KUBECONFIG=config)["username"].endswith(":bot")
    newest.run("delete", "secret", "old")
    newest.run("get", "pods", code=1, KUBECONFIG=config)


def test_a_certificate_from_request_to_use(kube: Kubectl, tmp_path: Path) -> None:
    """Asked for, approved, signed by the cluster's CA, and then a way in."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "eve"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dev"),
        ]
    )
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    )
    name = f"eve-{kube.namespace}"
    spec = {
        "request": base64.b64encode(request.public_bytes(Encoding.PEM)).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "expirationSeconds": 3600,
    }
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": spec,
    }
    file = tmp_path / "csr.json"
    file.write_text(json.dumps(body))
    kube.run("apply", "-f", str(file))
    assert "Pending" in kube.run("get", "csr", name)
    kube.run("certificate", "approve", name)
    kube.run("wait", "--for=condition=Approved", f"csr/{name}", "--timeout=10s")
    for _ in range(50):
        signed = kube.run("get", "csr", name, "-o", "jsonpath={.status.certificate}")
        if signed:
            break
    assert "Approved,Issued" in kube.run("get", "csr", name)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    user = {
        "client-certificate-data": signed,
        "client-key-data": base64.b64encode(pem).decode(),
    }
    config = as_user(kube, tmp_path, "eve", user)
    info = who_am_i(kube, KUBECONFIG=config)
    assert (info["username"], info["groups"]) == ("eve", ["dev", "system:authenticated"])
    assert 'User "eve" cannot list' in kube.run("get", "pods", code=1, KUBECONFIG=config)
    kube.run("create", "rolebinding", "dev", "--clusterrole=view", "--group=dev")
    kube.run("get", "pods", KUBECONFIG=config)
    kube.run("delete", "csr", name)
