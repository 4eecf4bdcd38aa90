"""Who is let in, as whom, and what they may do, through HTTP."""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.access import SigningKey
from orchestrator.api import ApiApplication, ApiConfig, ensure_certificates
from orchestrator.api._client_certificates import certified_user
from orchestrator.controllers.bootstrap import plan_policy
from orchestrator.store import Store
from tests.api.conftest import TOKEN, LiveServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PODS = "/api/v1/namespaces/default/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
READ_PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}
ADMIN = {"authorization": f"Bearer {TOKEN}"}


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"authorization": f"Bearer {token}"}


def acting(user: str, *groups: str, **extra: str) -> list[tuple[str, str]]:
    """Return the headers of the administrator acting as another."""
    named = [(f"impersonate-extra-{key}", value) for key, value in extra.items()]
    return [
        *ADMIN.items(),
        ("impersonate-user", user),
        *(("impersonate-group", g) for g in groups),
        *named,
    ]


@pytest.fixture
async def plain(app: ApiApplication, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials; the cluster has its default roles."""
    await store.write(plan_policy(store))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as made:
        yield made


async def posted(client: httpx.AsyncClient, path: str, body: dict[str, Any], **options: Any) -> Any:
    """Create something as the administrator, or with the headers given; returns the answer."""
    answer = await client.post(path, json=body, headers=options.get("headers", ADMIN))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def grant(
    client: httpx.AsyncClient, name: str, rules: list[dict[str, Any]], *subjects: dict[str, Any]
) -> None:
    """Make a Role in ``default`` and bind it."""
    await posted(
        client, f"{RBAC}/namespaces/default/roles", {"metadata": {"name": name}, "rules": rules}
    )
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    body = {"metadata": {"name": name}, "roleRef": reference, "subjects": list(subjects)}
    await posted(client, f"{RBAC}/namespaces/default/rolebindings", body)


def message(answer: httpx.Response, code: int) -> str:
    """Check the code of a refusal; returns its message."""
    assert answer.status_code == code, answer.text
    return str(answer.json()["message"])


async def account_token(client: httpx.AsyncClient, name: str = "bot", **spec: Any) -> str:
    """Make a ServiceAccount if need be, and a token for it."""
    await client.post(ACCOUNTS, json={"metadata": {"name": name}}, headers=ADMIN)
    made = await posted(client, f"{ACCOUNTS}/{name}/token", {"spec": spec})
    return str(made["status"]["token"])


async def test_strangers_see_the_public_pages_and_nothing_else(plain: httpx.AsyncClient) -> None:
    """`system:public-info-viewer` is what they have; a wrong token is 401 even there."""
    for path in ("/version", "/healthz", "/livez"):
        assert (await plain.get(path)).status_code == 200
        assert message(await plain.get(path, headers=bearer("wrong-token")), 401) == "Unauthorized"
    assert message(await plain.get("/api"), 403) == (
        'forbidden: User "system:anonymous" cannot get path "/api"'
    )
    assert message(await plain.get(PODS), 403) == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" '
        'in the namespace "default"'
    )
    # Authorization comes first: who may not look is not told what is there.
    missing = await plain.get("/apis/none.example/v1/things/a")
    assert "cannot get resource" in message(missing, 403)


async def test_anonymous_requests_can_be_refused_altogether(store: Store) -> None:
    """401 then, as upstream with ``--anonymous-auth=false``."""
    app = ApiApplication(store, ApiConfig(token=TOKEN, anonymous=False))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        assert message(await client.get(PODS), 401) == "Unauthorized"
        assert (await client.get(PODS, headers=ADMIN)).status_code == 200


async def test_an_accounts_token_is_its_account(plain: httpx.AsyncClient) -> None:
    """With its groups; it may do what its roles say from the moment they do."""
    token = await account_token(plain)
    review = await posted(
        plain,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {},
        headers=bearer(token),
    )
    user = review["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:bot"
    assert user["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ]
    assert user["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
    refused = await plain.get(PODS, headers=bearer(token))
    assert 'User "system:serviceaccount:default:bot" cannot list' in message(refused, 403)
    await grant(
        plain,
        "reader",
        [READ_PODS],
        {"kind": "ServiceAccount", "name": "bot", "namespace": "default"},
    )
    assert (await plain.get(PODS, headers=bearer(token))).status_code == 200
    await plain.delete(f"{RBAC}/namespaces/default/rolebindings/reader", headers=ADMIN)
    assert (await plain.get(PODS, headers=bearer(token))).status_code == 403


async def test_a_token_dies_with_its_account_and_with_what_it_is_bound_to(
    plain: httpx.AsyncClient,
) -> None:
    """Another one of the same name does not revive it."""
    await posted(plain, "/api/v1/namespaces/default/secrets", {"metadata": {"name": "anchor"}})
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "anchor"}
    bound = await account_token(plain, boundObjectRef=reference)
    free = await account_token(plain)
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    assert (await plain.post(reviews, json={}, headers=bearer(bound))).status_code == 201
    await plain.delete("/api/v1/namespaces/default/secrets/anchor", headers=ADMIN)
    await posted(plain, "/api/v1/namespaces/default/secrets", {"metadata": {"name": "anchor"}})
    assert (await plain.post(reviews, json={}, headers=bearer(bound))).status_code == 401
    assert (await plain.post(reviews, json={}, headers=bearer(free))).status_code == 201
    await plain.delete(f"{ACCOUNTS}/bot", headers=ADMIN)
    await posted(plain, ACCOUNTS, {"metadata": {"name": "bot"}})
    assert (await plain.post(reviews, json={}, headers=bearer(free))).status_code == 401


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (
            {"expirationSeconds": 60},
            422,
            "Invalid value: 60: may not specify a duration less than 10 minutes",
        ),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "x"}},
            404,
            'pods "x" not found',
        ),
        (
            {"boundObjectRef": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "x"}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Deployment",
        ),
        (
            {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "u"}},
            409,
            "the UID in the bound object reference (u) does not match the UID in record",
        ),
    ],
)
async def test_tokens_that_make_no_sense_are_refused(
    plain: httpx.AsyncClient, spec: dict[str, Any], code: int, words: str
) -> None:
    """In upstream's words."""
    await posted(plain, ACCOUNTS, {"metadata": {"name": "bot"}})
    await posted(plain, "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    answer = await plain.post(f"{ACCOUNTS}/bot/token", json={"spec": spec}, headers=ADMIN)
    assert words in message(answer, code)


async def test_token_reviews_tell_whose_a_token_is_and_for_whom(plain: httpx.AsyncClient) -> None:
    """One for another audience is none; what nobody knows is told as an error."""
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    token = await account_token(plain, audiences=["vault"])

    async def review(token: str, *audiences: str) -> Any:
        spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
        return (await posted(plain, reviews, {"spec": spec}))["status"]

    found = await review(token, "vault", "other")
    assert found["authenticated"] is True
    assert found["audiences"] == ["vault"]
    assert found["user"]["username"] == "system:serviceaccount:default:bot"
    assert "token audiences" in (await review(token))["error"]
    assert (await plain.get(PODS, headers=bearer(token))).status_code == 401
    assert await review("nonsense") == {"user": {}, "error": "invalid bearer token"}
    assert (await review(TOKEN))["user"]["groups"] == ["system:masters", "system:authenticated"]


async def test_the_administrator_acts_as_others(plain: httpx.AsyncClient) -> None:
    """With the groups and facts that the headers name, and no rights of the administrator's."""
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = acting("jo", "dev", "ops", **{"Acme.com%2Fproject": "x"})
    review = await posted(plain, reviews, {}, headers=headers)
    assert review["status"]["userInfo"] == {
        "username": "jo",
        "groups": ["dev", "ops", "system:authenticated"],
        "extra": {"acme.com/project": ["x"]},
    }
    account = acting("system:serviceaccount:default:bot")
    review = await posted(plain, reviews, {}, headers=account)
    assert review["status"]["userInfo"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ]
    assert 'User "jo" cannot list' in message(await plain.get(PODS, headers=headers), 403)
    await grant(plain, "team", [READ_PODS], {"kind": "Group", "name": "dev"})
    assert (await plain.get(PODS, headers=headers)).status_code == 200
    nobody = [*ADMIN.items(), ("impersonate-group", "dev")]
    assert "without impersonating a user" in message(await plain.get(PODS, headers=nobody), 500)


async def test_acting_as_another_needs_the_right_to(plain: httpx.AsyncClient) -> None:
    """For the user, each group and each fact."""
    token = await account_token(plain)
    jo = {
        "verbs": ["impersonate"],
        "apiGroups": [""],
        "resources": ["users"],
        "resourceNames": ["jo"],
    }
    await posted(plain, f"{RBAC}/clusterroles", {"metadata": {"name": "jo"}, "rules": [jo]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jo"}
    subject = {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}
    body = {"metadata": {"name": "jo"}, "roleRef": reference, "subjects": [subject]}
    await posted(plain, f"{RBAC}/clusterrolebindings", body)

    async def list_as(*headers: tuple[str, str]) -> str:
        answer = await plain.get(PODS, headers=[*bearer(token).items(), *headers])
        return message(answer, 403)

    assert 'User "jo" cannot list' in await list_as(("impersonate-user", "jo"))
    assert await list_as(("impersonate-user", "ann")) == (
        'users "ann" is forbidden: User "system:serviceaccount:default:bot" cannot impersonate '
        'resource "users" in API group "" at the cluster scope'
    )
    masters = ("impersonate-user", "jo"), ("impersonate-group", "system:masters")
    assert 'groups "system:masters" is forbidden' in await list_as(*masters)
    facts = ("impersonate-user", "jo"), ("impersonate-extra-scopes", "all")
    assert await list_as(*facts) == (
        'userextras.authentication.k8s.io "all" is forbidden: User '
        '"system:serviceaccount:default:bot" cannot impersonate resource "userextras/scopes" in '
        'API group "authentication.k8s.io" at the cluster scope'
    )


async def test_access_reviews_give_the_reason(plain: httpx.AsyncClient) -> None:
    """Which binding allows it, or which one leads nowhere."""
    await grant(plain, "reader", [READ_PODS], {"kind": "User", "name": "jo"})
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

    async def ask(user: str, **attributes: str) -> Any:
        spec = {"user": user, "resourceAttributes": {"namespace": "default", **attributes}}
        return (await posted(plain, reviews, {"spec": spec}))["status"]

    assert await ask("jo", verb="list", resource="pods") == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to User "jo"',
    }
    assert await ask("jo", verb="list", resource="secrets") == {"allowed": False}
    await plain.delete(f"{RBAC}/namespaces/default/roles/reader", headers=ADMIN)
    assert await ask("jo", verb="list", resource="pods") == {
        "allowed": False,
        "reason": 'RBAC: role.rbac.authorization.k8s.io "reader" not found',
    }
    refused = await plain.get(PODS, headers=acting("jo"))
    assert message(refused, 403).endswith(
        '"default": RBAC: role.rbac.authorization.k8s.io "reader" not found'
    )
    answer = await plain.post(reviews, json={"spec": {"user": "jo"}}, headers=ADMIN)
    assert "exactly one of nonResourceAttributes or resourceAttributes" in message(answer, 422)
    local = "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
    spec = {
        "user": "jo",
        "resourceAttributes": {"namespace": "kube-system", "verb": "get", "resource": "pods"},
    }
    answer = await plain.post(local, json={"spec": spec}, headers=ADMIN)
    assert "must match metadata.namespace" in message(answer, 422)


async def test_users_learn_what_they_may_do(plain: httpx.AsyncClient) -> None:
    """By question and by list, which needs no more than being somebody."""
    await grant(
        plain, "reader", [{**READ_PODS, "resourceNames": ["a"]}], {"kind": "User", "name": "jo"}
    )
    jo = acting("jo")
    asked = {"spec": {"nonResourceAttributes": {"path": "/apis/x", "verb": "GET"}}}
    answer = await posted(
        plain, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked, headers=jo
    )
    assert answer["status"]["allowed"] is True
    rules = await posted(
        plain,
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {"spec": {"namespace": "default"}},
        headers=jo,
    )
    status = rules["status"]
    assert {**READ_PODS, "resourceNames": ["a"]} in status["resourceRules"]
    assert status["incomplete"] is False
    assert any("/healthz" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
    elsewhere = await posted(
        plain,
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {"spec": {"namespace": "kube-system"}},
        headers=jo,
    )
    assert all("pods" not in rule["resources"] for rule in elsewhere["status"]["resourceRules"])


async def test_every_request_has_its_verb(plain: httpx.AsyncClient) -> None:
    """Collections, watches, subresources and names from field selectors, as upstream has them."""
    jo = acting("jo")
    cases = [
        ("GET", PODS, 'cannot list resource "pods"'),
        ("GET", f"{PODS}?watch=1", 'cannot watch resource "pods"'),
        ("GET", "/api/v1/watch/pods", 'cannot watch resource "pods"'),
        ("GET", f"{PODS}/a", 'pods "a" is forbidden: User "jo" cannot get'),
        (
            "GET",
            f"{PODS}?fieldSelector=metadata.name%3Da",
            'pods "a" is forbidden: User "jo" cannot list',
        ),
        ("DELETE", PODS, 'cannot deletecollection resource "pods"'),
        ("POST", f"{PODS}/a/eviction", 'cannot create resource "pods/eviction"'),
        ("PATCH", f"{PODS}/a/status", 'cannot patch resource "pods/status"'),
        (
            "PUT",
            "/apis/apps/v1/namespaces/n/deployments/a/scale",
            'resource "deployments/scale" in API group "apps"',
        ),
        (
            "GET",
            "/api/v1/namespaces/n",
            'resource "namespaces" in API group "" in the namespace "n"',
        ),
        ("GET", "/api/v1/namespaces", 'resource "namespaces" in API group "" at the cluster scope'),
        ("PUT", "/api/v1/namespaces/n/finalize", 'cannot update resource "namespaces/finalize"'),
        ("POST", "/nothing", 'cannot post path "/nothing"'),
    ]
    for method, path, words in cases:
        assert words in message(await plain.request(method, path, headers=jo), 403), path


async def test_without_authorization_everyone_may_do_everything(store: Store) -> None:
    """The mode ``AlwaysAllow``; it still matters who somebody is."""
    app = ApiApplication(store, ApiConfig(token=TOKEN, authorization="AlwaysAllow"))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        assert (await client.get(PODS, headers=acting("jo"))).status_code == 200
        assert (await client.get(PODS, headers=bearer("wrong-token"))).status_code == 401


async def test_nobody_grants_more_than_they_have(plain: httpx.AsyncClient) -> None:
    """Neither by a role nor by binding one; with what is missing, a line each."""
    roles = f"{RBAC}/namespaces/default/roles"
    bindings = f"{RBAC}/namespaces/default/rolebindings"
    manage = {
        "verbs": ["create", "update", "patch", "get"],
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
    }
    await grant(plain, "manager", [manage, READ_PODS], {"kind": "User", "name": "jo"})
    jo = acting("jo", "dev")
    more = {**READ_PODS, "resources": ["pods", "secrets"]}
    given = {"metadata": {"name": "given"}, "rules": [more]}
    text = message(await plain.post(roles, json=given, headers=jo), 403)
    assert text == (
        'roles.rbac.authorization.k8s.io "given" is forbidden: user "jo" (groups=["dev" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    given = {"metadata": {"name": "given"}, "rules": [READ_PODS]}
    await posted(plain, roles, given, headers=jo)
    patch = [*jo, ("content-type", "application/merge-patch+json")]
    answer = await plain.patch(f"{roles}/given", json={"rules": [more]}, headers=patch)
    assert "permissions not currently held" in message(answer, 403)
    answer = await plain.patch(
        f"{roles}/given", json={"metadata": {"finalizers": ["a.b/c"]}}, headers=patch
    )
    assert answer.status_code == 200

    def binding(kind: str, name: str) -> dict[str, Any]:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        return {"metadata": {"name": f"to-{name}"}, "roleRef": reference}

    await posted(plain, bindings, binding("Role", "given"), headers=jo)
    answer = await plain.post(bindings, json=binding("ClusterRole", "edit"), headers=jo)
    assert "permissions not currently held" in message(answer, 403)
    answer = await plain.post(bindings, json=binding("Role", "none"), headers=jo)
    assert message(answer, 404) == 'roles.rbac.authorization.k8s.io "none" not found'
    # The verbs `escalate` and `bind` lift it.
    lift = [
        {**manage, "verbs": ["escalate"], "resources": ["roles"]},
        {**manage, "verbs": ["bind"], "resources": ["clusterroles"], "resourceNames": ["edit"]},
    ]
    await grant(plain, "lift", lift, {"kind": "Group", "name": "dev"})
    answer = await plain.patch(f"{roles}/given", json={"rules": [more]}, headers=patch)
    assert answer.status_code == 200
    await posted(plain, bindings, binding("ClusterRole", "edit"), headers=jo)


async def test_aggregation_is_for_administrators(plain: httpx.AsyncClient) -> None:
    """It would let a role grow beyond what its author has."""
    rules = [
        {
            "verbs": ["create"],
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
        }
    ]
    await posted(plain, f"{RBAC}/clusterroles", {"metadata": {"name": "c"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "c"}
    body = {
        "metadata": {"name": "c"},
        "roleRef": reference,
        "subjects": [{"kind": "User", "name": "jo"}],
    }
    await posted(plain, f"{RBAC}/clusterrolebindings", body)
    selectors = [{"matchLabels": {"a": "b"}}]
    role = {
        "metadata": {"name": "sum"},
        "rules": [],
        "aggregationRule": {"clusterRoleSelectors": selectors},
    }
    answer = await plain.post(f"{RBAC}/clusterroles", json=role, headers=acting("jo"))
    assert "must have cluster-admin privileges" in message(answer, 403)


async def test_apply_that_creates_needs_the_right_to(plain: httpx.AsyncClient) -> None:
    """The right to patch is not enough for what is not there yet."""
    patching = {"verbs": ["patch"], "apiGroups": [""], "resources": ["configmaps"]}
    await grant(plain, "patcher", [patching], {"kind": "User", "name": "jo"})
    path = "/api/v1/namespaces/default/configmaps/a"
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1"}}'
    headers = [*acting("jo"), ("content-type", "application/apply-patch+yaml")]
    query = {"fieldManager": "jo"}
    answer = await plain.patch(path, content=body, headers=headers, params=query)
    assert 'User "jo" cannot create resource "configmaps"' in message(answer, 403)
    admin = [*ADMIN.items(), ("content-type", "application/apply-patch+yaml")]
    answer = await plain.patch(path, content=body, headers=admin, params={"fieldManager": "it"})
    assert answer.status_code == 201
    answer = await plain.patch(path, content=body, headers=headers, params=query)
    assert answer.status_code == 200


async def test_signing_requests_name_their_author_and_need_an_approver(
    plain: httpx.AsyncClient,
) -> None:
    """What the client says about itself counts for nothing."""
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    everything = {
        "verbs": ["*"],
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["certificatesigningrequests", "certificatesigningrequests/approval"],
    }
    await posted(plain, f"{RBAC}/clusterroles", {"metadata": {"name": "c"}, "rules": [everything]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "c"}
    body: dict[str, Any] = {
        "metadata": {"name": "c"},
        "roleRef": reference,
        "subjects": [{"kind": "User", "name": "jo"}],
    }
    await posted(plain, f"{RBAC}/clusterrolebindings", body)
    spec = {
        "request": signing_request("ann"),
        "signerName": "example.com/signer",
        "usages": ["client auth"],
        "username": "root",
        "groups": ["system:masters"],
    }
    body = {"metadata": {"name": "mine"}, "spec": spec}
    made = await posted(plain, path, body, headers=acting("jo", "dev"))
    assert made["spec"]["username"] == "jo"
    assert made["spec"]["groups"] == ["dev", "system:authenticated"]
    approved = {"type": "Approved", "status": "True", "reason": "x", "message": "y"}
    made["status"] = {"conditions": [approved]}
    answer = await plain.put(f"{path}/mine/approval", json=made, headers=acting("jo"))
    assert message(answer, 403) == (
        'certificatesigningrequests.certificates.k8s.io "mine" is forbidden: user not permitted to '
        'approve requests with signerName "example.com/signer"'
    )
    answer = await plain.put(f"{path}/mine/approval", json=made, headers=ADMIN)
    assert answer.json()["status"]["conditions"][0]["type"] == "Approved"
    spec = {
        **spec,
        "request": signing_request("ann", "system:masters"),
        "signerName": "kubernetes.io/kube-apiserver-client",
    }
    body = {"metadata": {"name": "more"}, "spec": spec}
    answer = await plain.post(path, json=body, headers=ADMIN)
    assert "signer with system:masters group is not allowed" in message(answer, 403)


def signing_request(name: str, *groups: str) -> str:
    """Make a request for a client's certificate, in the encoding of the API."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts))
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(request.public_bytes(Encoding.PEM)).decode()


async def test_others_can_verify_tokens_by_what_is_published(plain: httpx.AsyncClient) -> None:
    """OIDC discovery and the keys, for whoever may see them: ServiceAccounts, not strangers."""
    token = await account_token(plain, audiences=["vault"])
    path = "/.well-known/openid-configuration"
    assert 'cannot get path "/.well-known' in message(await plain.get(path), 403)
    own = bearer(await account_token(plain))
    found = (await plain.get(path, headers=own)).json()
    assert found["issuer"] == "https://kubernetes.default.svc.cluster.local"
    assert found["jwks_uri"].endswith("/openid/v1/jwks")
    answer = await plain.get("/openid/v1/jwks", headers=own)
    assert answer.headers["content-type"] == "application/jwk-set+json"
    (key,) = jwt.PyJWKSet.from_dict(answer.json()).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    algorithms = found["id_token_signing_alg_values_supported"]
    claims = jwt.decode(
        token,
        key.key,
        algorithms=algorithms,
        audience="vault",
        issuer=found["issuer"],
        options={"verify_exp": True},
    )
    assert claims["sub"] == "system:serviceaccount:default:bot"
    assert claims["kubernetes.io"]["namespace"] == "default"


def test_the_signing_key_outlives_the_process(tmp_path: Path) -> None:
    """Kept with mode 0600; a damaged one is replaced, one of RSA used as it is."""
    file = tmp_path / "pki" / "sa.key"
    token = SigningKey(file).sign({"sub": "a"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert SigningKey(file).verified(token) == {"sub": "a"}
    file.write_text("nonsense")
    assert SigningKey(file).verified(token) is None
    private = rsa.generate_private_key(65537, 2048)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = SigningKey(file)
    assert key.algorithm == "RS256"
    assert key.verified(key.sign({"sub": "a"})) == {"sub": "a"}
    assert key.published()[0]["kty"] == "RSA"


def test_a_certificate_names_its_user() -> None:
    """The common name, organizations as groups, the uid where there is one; or nobody."""

    def subject(*parts: tuple[str, str]) -> dict[str, Any]:
        return {"subject": tuple((part,) for part in parts)}

    uid = "1.3.6.1.4.1.57683.2"
    shown = subject(
        ("commonName", "eve"), ("organizationName", "dev"), ("organizationName", "ops"), (uid, "7")
    )
    user = certified_user(shown, b"der")
    assert user is not None
    assert (user.name, user.uid, user.groups) == (
        "eve",
        "7",
        ("dev", "ops", "system:authenticated"),
    )
    (credential,) = user.extra["authentication.kubernetes.io/credential-id"]
    assert credential == f"X509SHA256={hashlib.sha256(b'der').hexdigest()}"
    assert certified_user(subject(("organizationName", "dev")), b"der") is None
    assert certified_user({}, None) is None


@pytest.mark.e2e
def test_a_certificate_of_another_ca_is_no_way_in(live_server: LiveServer, tmp_path: Path) -> None:
    """The handshake fails; without a certificate it goes on, as a stranger."""
    other = ensure_certificates(tmp_path / "other", time.time())
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = yaml.safe_load(live_server.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    with httpx.Client(verify=context) as client:
        assert "system:anonymous" in message(client.get(f"{url}{PODS}"), 403)
    context.load_cert_chain(other.certificate_file, other.key_file)
    with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
        client.get(f"{url}{PODS}")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", "configmaps/kept", 405),
        ("DELETE", "configmaps", 405),
        ("PUT", "configmaps/kept", 405),
        ("PATCH", "configmaps/kept", 405),
        ("POST", "configmaps", 405),
        ("HEAD", "configmaps/kept", 405),
        ("GET", "pods/kept/log", 404),
        ("PUT", "pods/kept/status", 404),
        ("POST", "pods/kept/eviction", 404),
        ("POST", "serviceaccounts/default/token", 404),
    ],
)
async def test_who_may_only_watch_does_nothing_else_through_the_paths_of_watches(
    plain: httpx.AsyncClient, method: str, path: str, code: int
) -> None:
    """Requests there are authorized as watches, whatever their method: they can be nothing else."""
    rule = {"verbs": ["watch"], "apiGroups": ["*"], "resources": ["*"]}
    await grant(plain, "watcher", [rule], {"kind": "User", "name": "jane"})
    maps = "/api/v1/namespaces/default/configmaps"
    await posted(plain, maps, {"metadata": {"name": "kept"}})
    answer = await plain.request(
        method,
        f"/api/v1/watch/namespaces/default/{path}",
        json=None if method in {"GET", "HEAD"} else {"metadata": {"name": "other"}},
        headers=acting("jane"),
    )
    assert answer.status_code == code, answer.text
    assert (await plain.get(f"{maps}/kept", headers=ADMIN)).status_code == 200
    assert (await plain.get(f"{maps}/other", headers=ADMIN)).status_code == 404
