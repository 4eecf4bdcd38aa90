"""Sessions with Helm 3 and 4: releases over their lives, edits by hand, failures, ownership.

The chart is ``charts/shop``; its hooks are Jobs, which Helm waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.helm import Helm
from tests.clients.kubectl import Kubectl
from tests.conftest import helm_binaries, missing

pytestmark = pytest.mark.e2e

OBJECTS = "deploy,svc,cm,secret,sa,role,rolebinding,ing,pdb"
WAIT = "--wait --timeout 30s"
SMALL = "--skip-crds --set wheel.enabled=false,hooks=false,replicas=1"
"""Options for sessions that are not about custom kinds and hooks."""


HELMS = {path.name: path for path in helm_binaries()}


@pytest.fixture(params=list(HELMS) or ["none"])
def helm(request: pytest.FixtureRequest, newest: Kubectl) -> Helm:
    """Each Helm at hand in turn, in a new namespace."""
    if request.param not in HELMS:
        missing("helm")
    return Helm(HELMS[request.param], newest)


@pytest.fixture
def no_wheels(newest: Kubectl) -> Iterator[None]:
    """Take away the chart's custom kind, which Helm leaves when it uninstalls."""
    yield
    newest("delete crd wheels.shop.example.com --ignore-not-found")


def owned(kube: Kubectl, release: str, what: str = OBJECTS) -> dict[str, str]:
    """Return each object of a release with its resourceVersion."""
    listed = kube.json(f"get {what} -l app.kubernetes.io/instance={release}")["items"]
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in listed
    }


@pytest.mark.usefixtures("no_wheels")
def test_a_release_over_its_life(helm: Helm, newest: Kubectl) -> None:
    """Installed with a custom kind and hooks, looked at, tested, upgraded, rolled back, removed."""
    again = "cannot re-use a name" if helm.major < 4 else "cannot reuse a name"
    installed = helm(f"install one CHART {WAIT} --description first")
    assert "STATUS: deployed" in installed
    assert "Welcome to shop: one is revision 1" in installed
    assert again in helm.refused("install one CHART")
    objects = owned(newest, "one", f"{OBJECTS},wheels")
    assert {name.split("/")[0] for name in objects} == {
        *("Deployment", "Service", "ConfigMap", "Secret", "ServiceAccount", "Role"),
        *("RoleBinding", "Ingress", "PodDisruptionBudget", "Wheel"),
    }
    assert "2/2" in newest("get deploy one")  # it waited
    assert newest("get wheel one -o", "jsonpath={.spec}") == '{"color":"red","size":3}'
    assert newest("get cm one -o", "jsonpath={.data.wheels}") == "served"

    told = helm.json("status one")
    assert (told["info"]["status"], told["version"]) == ("deployed", 1)
    assert "first" in helm("history one")
    assert helm.json("get values one") is None
    assert helm.json("get values one --all")["replicas"] == 2
    assert "kind: Wheel" in helm("get manifest one")
    assert "helm.sh/hook: pre-install" in helm("get hooks one")
    assert "revision 1" in helm("get notes one")
    everything = helm("get all one")
    assert "COMPUTED VALUES:" in everything
    assert "kind: Ingress" in everything
    assert "Succeeded" in helm("test one")

    upgraded = helm(f"upgrade one CHART {WAIT} --set greeting=hi,replicas=3,wheel.size=4")
    assert "Happy Helming!" in upgraded
    assert newest("get cm one -o", "jsonpath={.data.greeting}") == "hi"
    assert newest("get wheel one -o", "jsonpath={.spec.size}") == "4"
    assert "3/3" in newest("get deploy one")
    assert helm.json("get values one")["greeting"] == "hi"
    assert "Rollback was a success" in helm(f"rollback one 1 {WAIT}")
    assert newest("get cm one -o", "jsonpath={.data.greeting}") == "hello"
    assert "2/2" in newest("get deploy one")
    assert helm.history("one") == ["superseded", "superseded", "deployed"]

    each = "{.metadata.name}={.metadata.labels.revision}:{.status.succeeded} "
    hooks = newest("get jobs -o", f"jsonpath={{range .items[*]}}{each}{{end}}")
    for hook in ("pre-install=1", "pre-upgrade=2", "post-upgrade=2", "pre-rollback=1", "test=1"):
        assert f"one-{hook}:1 " in hooks  # each ran, once
    assert newest("logs job/one-post-upgrade") == "post-upgrade of 2\n"
    assert "one-post-install" not in hooks  # its policy has it deleted at once
    assert 'release "one" uninstalled' in helm(f"uninstall one {WAIT}")
    assert owned(newest, "one", f"{OBJECTS},wheels,pods") == {}
    assert "No resources found" in newest("get secrets")  # neither revisions are left
    assert newest("get crd wheels.shop.example.com -o name").strip()


def test_a_hook_that_fails(helm: Helm, newest: Kubectl) -> None:
    """An installation ends with the Job that had to come first, and says why."""
    told = helm.refused("install one CHART --skip-crds --set wheel.enabled=false,hookExit=3")
    assert "failed pre-install" in told
    assert ("Job Failed. failed: 1/1" if helm.major > 3 else "BackoffLimitExceeded") in told
    assert helm.history("one") == ["failed"]
    assert newest("logs job/one-pre-install") == "pre-install of 1\n"
    assert "No resources found" in newest("get deploy")
    helm("uninstall one --no-hooks")


def test_an_upgrade_that_changes_nothing(helm: Helm, newest: Kubectl) -> None:
    """``upgrade --install`` again and again writes none of the chart's objects."""
    repeated = f"upgrade --install one CHART {SMALL}"
    assert "does not exist. Installing it now" in helm(repeated)
    before = owned(newest, "one")
    before.pop("Deployment/one"), before.pop("PodDisruptionBudget/one")  # status is written
    generation = newest("get deploy one -o", "jsonpath={.metadata.generation}")
    assert len(before) == 7
    for _ in range(2):
        helm(repeated)
    after = owned(newest, "one")
    assert {name: after[name] for name in before} == before  # so `lookup` found the password
    assert newest("get deploy one -o", "jsonpath={.metadata.generation}") == generation
    assert helm.history("one") == ["superseded", "superseded", "deployed"]


def test_edits_by_hand_between_upgrades(helm: Helm, newest: Kubectl) -> None:
    """A merge takes back what the chart sets and keeps the rest; an apply asks first."""
    helm(f"install one CHART {SMALL}")
    newest("scale deploy one --replicas=2")
    newest("set env deploy/one MINE=1")
    newest("patch cm one -p", '{"data":{"mine":"kept"}}')
    newest("label svc one mine=kept")
    upgrade = f"upgrade one CHART {SMALL} --set greeting=second"
    if helm.major > 3:
        told = helm.refused(upgrade)
        manager = newest.program.name
        conflict = f'conflict with "{manager}" with subresource "scale" using apps/v1'
        assert f"{conflict}: .spec.replicas" in told
        assert helm.history("one")[-1] == "failed"
        upgrade += f" {helm.force}"
    helm(upgrade)
    deployment = newest.json("get deploy one")["spec"]
    assert deployment["replicas"] == 1
    names = [entry["name"] for entry in deployment["template"]["spec"]["containers"][0]["env"]]
    assert names == ["GREETING", "PASSWORD", "MINE"]
    data = newest.json("get cm one")["data"]
    assert (data["greeting"], data["mine"]) == ("second", "kept")
    assert newest("get svc one -o", "jsonpath={.metadata.labels.mine}") == "kept"


def test_a_server_side_release_becomes_a_client_side_one(helm: Helm, newest: Kubectl) -> None:
    """Helm 4 moves a release between its two ways of writing, without losing a field."""
    if helm.major < 4:
        pytest.skip("Helm 3 does not know server-side apply")
    helm(f"install one CHART {SMALL} --server-side=false")
    entry = newest.json("get cm one --show-managed-fields")["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("helm", "Update")
    helm(f"upgrade one CHART {SMALL} --server-side=true --set budget.enabled=false")
    entries = newest.json("get cm one --show-managed-fields")["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in entries] == [("helm", "Apply")]
    assert "PodDisruptionBudget/one" not in owned(newest, "one")
    newest("scale deploy one --replicas=2")
    helm(f"upgrade one CHART {SMALL} --server-side=false --set greeting=third")
    assert newest("get cm one -o", "jsonpath={.data.greeting}") == "third"
    assert newest("get deploy one -o", "jsonpath={.spec.replicas}") == "1"


def test_upgrades_that_fail(helm: Helm, newest: Kubectl) -> None:
    """What the server refuses, and what never gets ready, is told, and undone where asked for."""
    helm(f"install one CHART {SMALL}")
    told = helm.refused(f"upgrade one CHART {SMALL} --set budget.minAvailable=-1")
    refusal = (
        'PodDisruptionBudget.policy "one" is invalid: spec.minAvailable: Invalid value: -1: '
        "must be greater than or equal to 0"
    )
    assert refusal in told
    assert refusal in helm("history one")
    told = helm.refused(
        f"upgrade one CHART {SMALL} {helm.undo_failures} --timeout 5s --set greeting=never "
        "--set image=entrypoint:unknown,command=null"
    )
    assert "has been rolled back" in told
    assert helm.history("one") == ["superseded", "failed", "failed", "deployed"]
    assert newest("get cm one -o", "jsonpath={.data.greeting}") == "hello"
    newest("rollout status deploy/one --timeout=10s")


def test_installations_that_fail(helm: Helm, newest: Kubectl) -> None:
    """A refused one leaves a failed release, or nothing where that was asked for."""
    refusal = 'Ingress.networking.k8s.io "one" is invalid: spec.rules[0].host: Invalid value: "A B"'
    bad = f'install one CHART {SMALL} --set "ingress.host=A B"'
    assert refusal in helm.refused(bad)
    assert helm.history("one") == ["failed"]
    helm("uninstall one")
    assert "uninstalled due to" in helm.refused(f"{bad} {helm.undo_failures} --timeout 10s")
    assert helm.json("list") == []
    assert owned(newest, "one") == {}


def test_what_others_own(helm: Helm, newest: Kubectl) -> None:
    """An object that exists stops the installation, unless its ownership may be taken."""
    newest("create configmap one --from-literal=greeting=mine --from-literal=more=kept")
    told = helm.refused(f"install one CHART {SMALL}")
    assert 'ConfigMap "one" in namespace' in told
    assert "exists and cannot be imported into the current release" in told
    assert 'missing key "app.kubernetes.io/managed-by": must be set to "Helm"' in told
    helm(f"install one CHART {SMALL} --take-ownership {helm.force}")
    taken = newest.json("get cm one")
    assert taken["metadata"]["annotations"]["meta.helm.sh/release-name"] == "one"
    assert taken["data"]["greeting"] == "hello"
    told = helm.refused(f"install two CHART {SMALL} --set name=one")
    assert 'must equal "two": current value is "one"' in told


def test_two_namespaces_and_a_dry_run(
    helm: Helm, newest: Kubectl, new_kubectl: Callable[[Path], Kubectl]
) -> None:
    """The same name lives in two namespaces; a dry run makes none and writes nothing."""
    other = f"{newest.namespace}-made"
    created = f"install one CHART {SMALL} -n {other} --create-namespace"
    planned = helm(f"{created} --dry-run=server")
    assert "kind: Deployment" in planned
    assert "NotFound" in newest.refused(f"get namespace {other}")
    helm(created)
    helm(f"install one CHART {SMALL}")
    listed = helm.json("list -A")
    spaces = {entry["namespace"] for entry in listed if entry["name"] == "one"}
    assert {newest.namespace, other} <= spaces
    assert newest.json(f"get namespace {other}")["metadata"]["labels"]["name"] == other
    newest(f"delete namespace {other}")
    spaces = {entry["namespace"] for entry in helm.json("list -A")}
    assert other not in spaces


def test_every_way_to_uninstall(helm: Helm, newest: Kubectl) -> None:
    """With its history kept, brought back, with its pods orphaned, and one that is not there."""
    helm(f"install one CHART {SMALL} {WAIT} --set autoscaling.enabled=true")
    assert "Deployment/one" in newest("get hpa one")
    helm(f"uninstall one {WAIT} --keep-history --cascade foreground")
    assert owned(newest, "one", f"{OBJECTS},hpa,rs,pods") == {}
    assert helm.history("one") == ["uninstalled"]
    assert [entry["name"] for entry in helm.json("list --uninstalled")] == ["one"]
    helm(f"rollback one 1 {WAIT}")
    assert helm.json("list")[0]["status"] == "deployed"
    helm(f"uninstall one {WAIT} --cascade orphan")
    left = {name.split("/")[0] for name in owned(newest, "one", f"{OBJECTS},hpa,rs,pods")}
    assert left == {"ReplicaSet", "Pod"}
    assert "release: not found" in helm.refused("uninstall one")
    helm("uninstall one --ignore-not-found")


def test_releases_kept_in_config_maps(helm: Helm, newest: Kubectl) -> None:
    """The driver ``configmap`` keeps revisions by label, as many as it is told to."""
    kept = {"HELM_DRIVER": "configmap"}
    helm(f"install one CHART {SMALL} --set replicas=0", env=kept)
    for greeting in ("second", "third"):
        options = f"--history-max 2 --set replicas=0,greeting={greeting}"
        helm(f"upgrade one CHART {SMALL} {options}", env=kept)
    names = newest("get cm -l owner=helm,status=deployed -o name").split()
    assert names == ["configmap/sh.helm.release.v1.one.v3"]
    assert len(newest("get cm -l owner=helm -o name").split()) == 2
    assert helm.json("list") == []
    assert [entry["revision"] for entry in helm.json("list", env=kept)] == ["3"]
    helm("uninstall one", env=kept)
    assert newest("get cm -l owner=helm").startswith("No resources found")


def test_charts_for_kubectl(helm: Helm, newest: Kubectl) -> None:
    """``helm template | kubectl apply -f -``, both ways of it, then no difference, then deleted."""
    rendered = helm.run(f"template one CHART {SMALL} --validate").stdout
    assert newest("apply -f -", stdin=rendered).count(" created") == 9
    assert newest("apply --server-side -f -", stdin=rendered).count("serverside-applied") == 9
    random = "password:"  # differs each time it is rendered, not each time it is applied
    assert random in rendered
    assert newest("diff -f -", stdin=rendered) == ""
    newest("rollout status deploy/one --timeout=30s")
    assert newest("delete -f -", stdin=rendered).count(" deleted") == 9


def test_somebody_who_may_not_do_everything(helm: Helm, newest: Kubectl) -> None:
    """Helm tells whose rights end where, and goes on once a role is bound."""
    install = f"install one CHART {SMALL} --kube-as-user jane"
    told = helm.refused(install)
    assert 'is forbidden: User "jane" cannot' in told
    newest("create rolebinding jane --user=jane --clusterrole=edit")
    told = helm.refused(install)
    assert 'roles.rbac.authorization.k8s.io "one" is forbidden: User "jane" cannot get' in told
    newest("create rolebinding jane-too --user=jane --clusterrole=admin")
    helm(install)
    assert "deployed" in helm("list --kube-as-user jane")
    assert "forbidden" in helm.refused("list -A --kube-as-user jane")
