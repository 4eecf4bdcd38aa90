"""Tokens in Secrets, certificates on request, ClusterRoles put together out of others."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.access import AccountTokens, TokenError
from orchestrator.access.authority import Authority, Requested, SigningError
from orchestrator.api import ensure_certificates
from orchestrator.controllers.accounts import TokenController
from orchestrator.controllers.certificates import decide_cleaning, decide_signing
from orchestrator.controllers.certificates.core import check_request
from orchestrator.controllers.clusterroles import ClusterRoleAggregationController
from orchestrator.resources.timestamps import format_time
from tests.api.test_access import signing_request

NOW = 1_800_000_000.0
ROLES = "clusterroles.rbac.authorization.k8s.io"
BASIC = {"digital signature", "key encipherment"}


def token_secret(name: str, account: str = "bot") -> dict[str, Any]:
    """Build a Secret that waits for a token."""
    annotations = {"kubernetes.io/service-account.name": account}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
    }


@virtual
async def test_a_tokens_secret_lives_and_dies_with_its_account(worlds: Any) -> None:
    """Filled when it comes, gone with the account; other Secrets are left alone."""
    async with worlds.world() as world:
        tokens = AccountTokens(world.store)
        world.system.spawn(
            lambda: TokenController(world.store, world.recorded, tokens, "PEM"), "tokens"
        )
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        await world.create("serviceaccounts", {**account, "metadata": {"name": "bot"}})
        await world.create("secrets", token_secret("filled"))
        await world.create("secrets", token_secret("lost", "nobody"))
        plain = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}}
        await world.create("secrets", plain)
        await world.settle()
        secret = world.get("secrets", "filled")
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        assert (data["namespace"], data["ca.crt"]) == ("default", "PEM")
        accepted = tokens.accept(data["token"])
        assert accepted is not None
        assert accepted.user.name == "system:serviceaccount:default:bot"
        assert world.store.get("secrets", "default", "lost") is None
        await world.store.delete("serviceaccounts", "default", "bot")
        await world.settle()
        assert world.store.get("secrets", "default", "filled") is None
        assert world.store.get("secrets", "default", "plain") is not None
        with pytest.raises(TokenError, match="invalidated"):
            tokens.accept(data["token"])


@virtual
async def test_tokens_end_by_the_clusters_clock(worlds: Any) -> None:
    """A minute of grace, as upstream has it, and no more."""
    async with worlds.world() as world:
        tokens = AccountTokens(world.store)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}}
        made = await world.create("serviceaccounts", account)
        token = tokens.issue(made, "id", seconds=600).token
        await world.settle(630)
        assert tokens.accept(token) is not None
        await world.settle(60)
        with pytest.raises(TokenError, match="has expired"):
            tokens.accept(token)
        assert tokens.accept("not.a.token") is None
        odd = base64.urlsafe_b64encode(b'{"iss":["a"]}').decode()
        assert tokens.accept(f"e30.{odd}.x") is None
        other = AccountTokens(world.store).issue(made, "id").token
        with pytest.raises(TokenError, match="cryptographic"):
            tokens.accept(other)


@virtual
async def test_aggregated_roles_follow_the_roles_they_select(worlds: Any) -> None:
    """Also through a second one that selects the first."""

    def role(name: str, verb: str = "", label: str = "", selects: str = "") -> dict[str, Any]:
        rule = {"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}
        made: dict[str, Any] = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": {"to": label} if label else {}},
            "rules": [rule] if verb else [],
        }
        if selects:
            selectors = [{"matchLabels": {"to": selects}}]
            made["aggregationRule"] = {"clusterRoleSelectors": selectors}
        return made

    def verbs(name: str) -> list[str]:
        return [rule["verbs"][0] for rule in world.get(ROLES, name, "")["rules"]]

    async with worlds.world() as world:
        world.start(ClusterRoleAggregationController, kubelet=False)
        await world.create(ROLES, role("top", selects="b"), "")
        await world.create(ROLES, role("middle", label="b", selects="a"), "")
        await world.create(ROLES, role("one", "get", "a"), "")
        await world.create(ROLES, role("two", "list", "a"), "")
        await world.settle()
        assert verbs("middle") == verbs("top") == ["get", "list"]
        await world.store.delete(ROLES, "", "one")
        await world.settle()
        assert verbs("middle") == verbs("top") == ["list"]


def request_of(signer: str, *types: str, pem: str = "", **spec: Any) -> dict[str, Any]:
    """Build a CertificateSigningRequest with conditions."""
    conditions = [{"type": one, "status": "True"} for one in types]
    whole = {"signerName": signer, "usages": ["client auth"], "request": pem, **spec}
    return {"metadata": {"name": "a"}, "spec": whole, "status": {"conditions": conditions}}


def test_only_what_was_approved_is_signed(tmp_path: Path) -> None:
    """By the CA, for the time asked; what can't be signed says why."""
    from cryptography import x509

    certificates = ensure_certificates(tmp_path, NOW)
    sign = Authority(certificates.ca_file, tmp_path / "ca.key").sign
    client = "kubernetes.io/kube-apiserver-client"
    pem = signing_request("eve", "dev")
    for unsigned in (
        request_of(client, pem=pem),
        request_of(client, "Approved", "Denied", pem=pem),
        request_of("example.com/other", "Approved", pem=pem),
    ):
        assert len(decide_signing(unsigned, sign, NOW)) == 0
    approved = request_of(client, "Approved", pem=pem, expirationSeconds=600)
    (update,) = decide_signing(approved, sign, NOW).update
    encoded = base64.b64decode(update.new["status"]["certificate"])
    made = x509.load_pem_x509_certificate(encoded)
    made.verify_directly_issued_by(
        x509.load_pem_x509_certificate(certificates.ca_file.read_bytes())
    )
    assert made.subject.rfc4514_string() == "O=dev,CN=eve"
    assert made.not_valid_after_utc.timestamp() == NOW + 600
    assert len(decide_signing(update.new, sign, NOW)) == 0
    broken = request_of(client, "Approved", pem=base64.b64encode(b"nonsense").decode())
    (update,) = decide_signing(broken, sign, NOW).update
    failed = update.new["status"]["conditions"][-1]
    assert (failed["type"], failed["reason"]) == ("Failed", "SignerValidationFailure")
    assert "unable to parse csr" in failed["message"]


@pytest.mark.parametrize(
    ("type_", "certificate", "age", "left"),
    [
        ("", "", 23 * 3600, 3600),
        ("", "", 24 * 3600, None),
        ("Denied", "", 3599, 1),
        ("Denied", "", 3600, None),
        ("Failed", "", 3601, None),
        ("Approved", "PEM", 3000, 600),
        ("Approved", "PEM", 3600, None),
        ("Approved", "", 100 * 3600, 24 * 3600),
    ],
)
def test_requests_go_once_they_are_done_with(
    type_: str, certificate: str, age: int, left: float | None
) -> None:
    """An hour after the decision, a day without one; what waits for its signer stays."""
    moment = format_time(NOW - age)
    condition = {"type": type_, "status": "True", "lastUpdateTime": moment}
    request = {
        "metadata": {"name": "a", "uid": "u", "creationTimestamp": moment},
        "status": {"conditions": [condition] if type_ else [], "certificate": certificate},
    }
    plan = decide_cleaning(request, NOW)
    assert (len(plan.delete), plan.requeue_after) == ((1, None) if left is None else (0, left))


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "why"),
    [
        ("kube-apiserver-client", Requested("a", (), False), BASIC, "must include client auth"),
        ("kube-apiserver-client", Requested("a", (), True), {*BASIC, "client auth"}, ""),
        (
            "kube-apiserver-client-kubelet",
            Requested("system:node:a", ("system:nodes",), False),
            {*BASIC, "client auth"},
            "",
        ),
        (
            "kube-apiserver-client-kubelet",
            Requested("a", ("system:nodes",), False),
            {*BASIC, "client auth"},
            "common name",
        ),
        (
            "kubelet-serving",
            Requested("system:node:a", ("system:nodes",), False),
            {*BASIC, "server auth"},
            "subjectAltName is required",
        ),
        ("kubelet-serving", Requested("system:node:a", (), True), set(), "organization"),
    ],
)
def test_signers_sign_what_they_are_for(
    signer: str, asked: Requested, usages: set[str], why: str
) -> None:
    """In upstream's words."""
    name = f"kubernetes.io/{signer}"
    if not why:
        check_request(name, asked, frozenset(usages))
        return
    with pytest.raises(SigningError, match=why):
        check_request(name, asked, frozenset(usages))
