"""ServiceAccounts, their tokens, reviews and signing requests."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from actors.testing import run_virtual, virtual
from tests.conformance.cluster import STRATEGIC_PATCH, served

CORE = "/api/v1/namespaces/default"
ACCOUNTS = f"{CORE}/serviceaccounts"
REVIEWS = "/apis/authorization.k8s.io/v1"
SIGNING = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@virtual
async def test_an_account_lives_its_life() -> None:
    """Upstream: ServiceAccount lifecycle test; ServiceAccount, update a ServiceAccount."""
    async with served(nodes=0) as api, api.watching(f"{ACCOUNTS}?labelSelector=s=t") as watch:
        body = {"metadata": {"name": "a", "labels": {"s": "t"}}}
        await api.create(ACCOUNTS, body)
        await api.patch(
            f"{ACCOUNTS}/a", {"automountServiceAccountToken": False}, form=STRATEGIC_PATCH
        )
        (found,) = await api.items("/api/v1/serviceaccounts?labelSelector=s=t")
        assert found["automountServiceAccountToken"] is False
        updated = await api.put(f"{ACCOUNTS}/a", {**found, "automountServiceAccountToken": True})
        assert updated["automountServiceAccountToken"] is True
        await api.delete(f"{ACCOUNTS}?labelSelector=s=t")
        await watch.count(4)
        assert watch.types == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]


@virtual
async def test_every_namespace_has_the_root_certificate_whatever_is_done_to_it() -> None:
    """Upstream: RootCA ConfigMap test."""
    async with served(nodes=0) as api:
        where = f"{CORE}/configmaps/kube-root-ca.crt"
        first = await api.until(where, lambda found: "data" in found)
        await api.delete(where)
        again = await api.until(where, lambda found: "data" in found)
        assert again["data"] == first["data"]
        assert again["metadata"]["uid"] != first["metadata"]["uid"]
        await api.patch(where, {"data": {"ca.crt": "", "x": "y"}})
        await api.until(where, lambda found: found["data"] == first["data"])


@pytest.mark.parametrize("account", [None, True, False])
@pytest.mark.parametrize("pod", [None, True, False])
def test_a_pod_gets_a_token_unless_it_or_its_account_says_no(
    account: bool | None, pod: bool | None
) -> None:
    """Upstream: Service account tokens auto mount optionally; Must AutoMount (the volume)."""

    async def made() -> None:
        async with served(nodes=0) as api:
            await api.create(
                ACCOUNTS,
                {"metadata": {"name": "a"}, "automountServiceAccountToken": account},
            )
            spec: dict[str, Any] = {
                "serviceAccountName": "a",
                "automountServiceAccountToken": pod,
                "containers": [{"name": "main", "image": "agnhost"}],
            }
            found = await api.create(f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
            mounts = found["spec"]["containers"][0].get("volumeMounts") or []
            wanted = account is not False if pod is None else pod
            assert [one["mountPath"] for one in mounts] == (
                ["/var/run/secrets/kubernetes.io/serviceaccount"] if wanted else []
            )
            if wanted:
                (volume,) = found["spec"]["volumes"]
                sources = [key for one in volume["projected"]["sources"] for key in one]
                assert sources == ["serviceAccountToken", "configMap", "downwardAPI"]

    run_virtual(made())


@virtual
async def test_reviews_say_what_an_account_may_do() -> None:
    """Upstream: SubjectReview, API Operations."""
    async with served(nodes=0) as api:
        await api.create(ACCOUNTS, {"metadata": {"name": "a"}})
        user = "system:serviceaccount:default:a"
        asked = {"verb": "list", "resource": "configmaps", "namespace": "default", "version": "v1"}
        body = {"spec": {"user": user, "resourceAttributes": asked}}
        local = f"{REVIEWS}/namespaces/default/localsubjectaccessreviews"
        body["metadata"] = {"namespace": "default"}
        for allowed in (False, True):
            answer = await api.create(local, body)
            assert answer["status"]["allowed"] is allowed
            cluster = await api.create(f"{REVIEWS}/subjectaccessreviews", {"spec": body["spec"]})
            assert cluster["status"]["allowed"] is allowed
            code = 200 if allowed else 403
            await api.call("GET", f"{CORE}/configmaps", None, code, {"impersonate-user": user})
            roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
            rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]}
            name = f"r{allowed}".lower()
            role = {"metadata": {"name": name}, "rules": [rule]}
            await api.create(f"{roles}/roles", role)
            binding = {
                "metadata": {"name": name},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": name,
                },
                "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "default"}],
            }
            await api.create(f"{roles}/rolebindings", binding)


@virtual
async def test_signing_requests_have_all_operations() -> None:
    """Upstream: CertificateSigningRequest API."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "e2e-example-com")])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    request = base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode()
    async with served(nodes=0) as api:
        listed = (await api.get("/apis/certificates.k8s.io/v1"))["resources"]
        verbs = {one["name"]: set(one["verbs"]) for one in listed}
        for part in ("approval", "status"):
            assert verbs[f"certificatesigningrequests/{part}"] == {"get", "patch", "update"}
        body = {
            "metadata": {"generateName": "e2e-csr-", "labels": {"t": "e"}},
            "spec": {
                "request": request,
                "signerName": "example.com/e2e",
                "expirationSeconds": 3600,
                "usages": ["digital signature", "key encipherment", "server auth"],
            },
        }
        async with api.watching(f"{SIGNING}?labelSelector=t=e") as watch:
            made = [await api.create(SIGNING, body) for _ in range(3)]
            path = f"{SIGNING}/{made[0]['metadata']['name']}"
            await api.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
            approval = await api.get(f"{path}/approval")
            condition = {"type": "Approved", "status": "True", "reason": "E2E", "message": "m"}
            approval["status"]["conditions"] = [condition]
            approved = await api.put(f"{path}/approval", approval)
            (found,) = approved["status"]["conditions"]
            assert found["type"] == "Approved"
            patch = {"metadata": {"annotations": {"patchedstatus": "true"}}}
            patched = await api.patch(f"{path}/status", patch)
            assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
            custom = {**condition, "type": "StatusUpdate"}
            patched["status"]["conditions"].append(custom)
            updated = await api.put(f"{path}/status", patched)
            assert [one["type"] for one in updated["status"]["conditions"]] == [
                "Approved",
                "StatusUpdate",
            ]
            await api.delete(path)
            await api.gone(path)
            await api.delete(f"{SIGNING}?labelSelector=t=e")
            await watch.until(lambda _: watch.types.count("DELETED") == 3)
            assert watch.types[:3] == ["ADDED"] * 3


@virtual
async def test_the_issuer_of_tokens_publishes_its_keys() -> None:
    """Upstream: OIDC Discovery (ServiceAccountIssuerDiscovery), the documents."""
    async with served(nodes=0) as api:
        document = await api.get("/.well-known/openid-configuration")
        assert document["issuer"]
        assert document["jwks_uri"].endswith("/openid/v1/jwks")
        keys = (await api.get("/openid/v1/jwks"))["keys"]
        assert keys
        assert all(key["use"] == "sig" and key["kid"] for key in keys)
