"""What the ServiceAccount plugin makes of a pod."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.store.admission.plugins import PLUGINS

PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
APPLY = next(one for one in PLUGINS if one.name == "ServiceAccount").apply


class Accounts:
    """A reader that knows some ServiceAccounts."""

    def __init__(self, **accounts: dict[str, Any]) -> None:
        self.accounts = accounts

    def get(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        assert (resource, namespace) == ("serviceaccounts", "n")
        return self.accounts.get(name)


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Build a pod with a container."""
    containers = [{"name": "c"}]
    return {
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"containers": containers, **spec},
    }


def test_every_container_gets_the_token_of_the_default_account() -> None:
    """One volume for all of them, as upstream writes it."""
    spec = APPLY(pod(initContainers=[{"name": "i"}]), Accounts())["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    (volume,) = spec["volumes"]
    prefix, _, suffix = volume["name"].rpartition("-")
    assert (prefix, len(suffix)) == ("kube-api-access", 5)
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert kinds == ["serviceAccountToken", "configMap", "downwardAPI"]
    mount = {"name": volume["name"], "readOnly": True, "mountPath": PATH}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert spec["initContainers"][0]["volumeMounts"] == [mount]


@pytest.mark.parametrize(
    ("wish", "account", "mounted"),
    [
        (None, {}, True),
        (None, {"automountServiceAccountToken": False}, False),
        (True, {"automountServiceAccountToken": False}, True),
        (False, {}, False),
        (False, {"automountServiceAccountToken": True}, False),
    ],
)
def test_the_pods_wish_goes_before_the_accounts(
    wish: bool | None, account: dict[str, Any], mounted: bool
) -> None:
    """And by default the token is mounted."""
    given: dict[str, Any] = {} if wish is None else {"automountServiceAccountToken": wish}
    made = APPLY(pod(serviceAccountName="a", **given), Accounts(a=account))
    assert ("volumes" in made["spec"]) is mounted


def test_a_container_that_mounts_something_there_keeps_it() -> None:
    """And where all do, there is no volume; a pod that was admitted before stays as it is."""
    mounts = [{"name": "own", "mountPath": PATH}]
    given = pod(containers=[{"name": "c", "volumeMounts": mounts}], serviceAccountName="default")
    assert APPLY(given, Accounts()) is given
    once = APPLY(pod(), Accounts())
    assert APPLY(once, Accounts()) is once


def test_an_account_lends_its_pull_secrets_and_has_to_be_there() -> None:
    """Pods with their own keep those."""
    accounts = Accounts(a={"imagePullSecrets": [{"name": "hub"}]})
    assert APPLY(pod(serviceAccountName="a"), accounts)["spec"]["imagePullSecrets"] == [
        {"name": "hub"}
    ]
    own = [{"name": "own"}]
    made = APPLY(pod(serviceAccountName="a", imagePullSecrets=own), accounts)
    assert made["spec"]["imagePullSecrets"] == own
    with pytest.raises(StatusError) as refused:
        APPLY(pod(serviceAccountName="b"), accounts)
    assert refused.value.message == (
        'pods "web" is forbidden: error looking up service account n/b: serviceaccount "b" '
        "not found"
    )
