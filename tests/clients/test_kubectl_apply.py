"""Sessions of declarative configuration with every kubectl at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.kubectl import Kubectl, config_map, sleeper

pytestmark = pytest.mark.e2e

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def write(directory: Path, name: str, *objects: object) -> str:
    """Write manifests into a file and return its path."""
    path = directory / name
    path.write_text(yaml.safe_dump_all(objects))
    return str(path)


def test_client_side_apply_over_a_life(kube: Kubectl, tmp_path: Path) -> None:
    """Created, unchanged, changed by three parties, pruned of fields, looked at, set anew."""
    web = sleeper("web", replicas=1)
    file = write(tmp_path, "web.yaml", web, config_map("settings", a="1", b="2"))
    created = kube(f"apply -f {file}")
    assert created.splitlines() == ["deployment.apps/web created", "configmap/settings created"]
    assert kube(f"apply -f {file}").count("unchanged") == 2
    assert kube.run(f"diff -f {file}").returncode == 0

    kube("scale deploy web --replicas=2")  # another party's field
    web["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    del web["spec"]["replicas"]
    file = write(tmp_path, "web.yaml", web, config_map("settings", b="3", c="4"))
    differing = kube.run(f"diff -f {file}")
    assert differing.returncode == 1, differing.stderr
    assert '-  a: "1"' in differing.stdout
    assert '+  c: "4"' in differing.stdout
    changed = kube(f"apply -f {file}")
    assert changed.splitlines() == [
        "deployment.apps/web configured",
        "configmap/settings configured",
    ]
    assert kube.json("get cm settings")["data"] == {"b": "3", "c": "4"}
    # Removed from the manifest, so the default takes its place.
    assert kube.json("get deploy web")["spec"]["replicas"] == 1

    viewed = yaml.safe_load(kube("apply view-last-applied cm settings"))
    assert viewed["data"] == {"b": "3", "c": "4"}
    write(tmp_path, "web.yaml", config_map("settings", b="3"))
    assert "configured" in kube(f"apply set-last-applied -f {file}")
    annotation = kube.json("get cm settings")["metadata"]["annotations"][LAST_APPLIED]
    assert json.loads(annotation)["data"] == {"b": "3"}
    kube(
        "apply edit-last-applied cm settings", env={"KUBE_EDITOR": """sed -i 's/b: "3"/b: "5"/'"""}
    )
    annotation = kube.json("get cm settings")["metadata"]["annotations"][LAST_APPLIED]
    assert json.loads(annotation)["data"] == {"b": "5"}
    assert kube.json("get cm settings")["data"] == {"b": "3", "c": "4"}


@pytest.mark.kubectl_since(27)
def test_server_side_apply_with_two_managers(each_kube: Kubectl, tmp_path: Path) -> None:
    """Conflicts name the field and its manager; force takes it; leaving it gives it up."""
    file = write(tmp_path, "cm.yaml", config_map("shared", a="1", b="2"))
    applied = each_kube(f"apply --server-side --field-manager=one -f {file}")
    assert applied == "configmap/shared serverside-applied\n"
    other = write(tmp_path, "other.yaml", config_map("shared", b="9"))
    conflict = each_kube.refused(f"apply --server-side --field-manager=two -f {other}")
    assert 'Apply failed with 1 conflict: conflict with "one": .data.b' in conflict
    assert each_kube.json("get cm shared")["data"] == {"a": "1", "b": "2"}
    each_kube(f"apply --server-side --field-manager=two --force-conflicts -f {other}")
    shared = each_kube.json("get cm shared --show-managed-fields")
    assert shared["data"] == {"a": "1", "b": "9"}
    owned = {
        entry["manager"]: (entry["operation"], set(entry["fieldsV1"]["f:data"]) - {"."})
        for entry in shared["metadata"]["managedFields"]
    }
    assert owned == {"one": ("Apply", {"f:a"}), "two": ("Apply", {"f:b"})}
    write(tmp_path, "other.yaml", {**config_map("shared"), "data": {"c": "3"}})
    each_kube(f"apply --server-side --field-manager=two -f {other}")
    assert each_kube.json("get cm shared")["data"] == {"a": "1", "c": "3"}
    before = each_kube.json("get cm shared")["metadata"]["resourceVersion"]
    each_kube(f"apply --server-side --field-manager=two -f {other}")
    assert each_kube.json("get cm shared")["metadata"]["resourceVersion"] == before
    differing = each_kube.run(f"diff --server-side --field-manager=one --force-conflicts -f {file}")
    assert differing.returncode == 1, differing.stderr
    assert '+  b: "2"' in differing.stdout


@pytest.mark.kubectl_since(27)
def test_moving_from_client_side_to_server_side_apply(kube: Kubectl) -> None:
    """What was applied by the client is taken over, so a removed field goes."""
    kube.apply(config_map("moved", a="1", b="2"))
    kube.apply(config_map("moved", a="1", b="2"), options="--server-side")
    moved = kube.json("get cm moved --show-managed-fields")
    managers = {(m["manager"], m["operation"]) for m in moved["metadata"]["managedFields"]}
    assert managers == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}
    kube.apply(config_map("moved", a="1"), options="--server-side")
    moved = kube.json("get cm moved")
    assert moved["data"] == {"a": "1"}
    assert LAST_APPLIED in moved["metadata"]["annotations"]  # kubectl keeps it in step


@pytest.mark.kubectl_since(27)
def test_dry_runs_and_validation(each_kube: Kubectl, tmp_path: Path) -> None:
    """Nothing is kept of a dry run; misspelt fields are refused, warned about or dropped."""
    assert "(dry run)" in each_kube.apply(config_map("dry", a="1"), options="--dry-run=client")
    assert "(server dry run)" in each_kube.apply(
        config_map("dry", a="1"), options="--dry-run=server"
    )
    assert 'configmaps "dry" not found' in each_kube.refused("get cm dry")

    wrong = sleeper("wrong")
    wrong["spec"]["replicass"] = 3
    file = write(tmp_path, "wrong.yaml", wrong)
    refused = each_kube.refused(f"apply -f {file}")
    assert 'unknown field "spec.replicass"' in refused
    assert "strict decoding error" in refused
    warned = each_kube(f"apply --validate=warn -f {file}")
    assert 'Warning: unknown field "spec.replicass"' in warned
    assert "created" in warned
    each_kube("delete deploy wrong")
    assert "Warning" not in each_kube(f"apply --validate=false -f {file}")
    assert "replicass" not in each_kube.json("get deploy wrong")["spec"]

    invalid = sleeper("invalid")
    invalid["spec"]["selector"]["matchLabels"] = {"app": "other"}
    invalid["spec"]["template"]["spec"]["containers"][0]["name"] = "Not A Name"
    refused = each_kube.refused("apply -f -", stdin=yaml.safe_dump(invalid))
    assert 'The Deployment "invalid" is invalid:' in refused
    assert "spec.template.metadata.labels: Invalid value" in refused
    assert "spec.template.spec.containers[0].name: Invalid value" in refused
    file = write(tmp_path, "kind.yaml", {"apiVersion": "example.com/v1", "kind": "Nothing"})
    assert 'no matches for kind "Nothing" in version "example.com/v1"' in each_kube.refused(
        f"apply -f {file}"
    )


@pytest.mark.kubectl_since(27)
def test_pruning_by_label_and_by_apply_set(kube: Kubectl) -> None:
    """What left the set of manifests is deleted, and nothing else is."""
    team = {"team": "a"}
    kube.apply(config_map("bystander", a="1"))
    kube.apply(config_map("one", labels=team, a="1"), config_map("two", labels=team, a="1"))
    pruned = kube.apply(
        config_map("one", labels=team, a="1"),
        options="--prune -l team=a --prune-allowlist=core/v1/ConfigMap",
    )
    assert "configmap/two pruned" in pruned
    names = kube("get cm -o", "jsonpath={.items[*].metadata.name}").split()
    assert names == ["bystander", "kube-root-ca.crt", "one"]

    enabled = {"KUBECTL_APPLYSET": "true"}
    one, two = config_map("set-one", a="1"), config_map("set-two", a="1")
    options = "apply --prune --applyset=configmaps/parent -f -"
    parent = config_map("parent")
    kube("create -f -", stdin=yaml.safe_dump(parent))
    refused = kube.run(options, stdin=yaml.safe_dump_all([one, two]), env=enabled)
    assert refused.returncode == 1  # an object that is no set yet is not taken for one
    kube("delete cm parent")
    secrets = "apply --prune --applyset=parent -f -"
    kube(secrets, stdin=yaml.safe_dump_all([one, two]), env=enabled)
    parent = kube.json("get secret parent")
    assert "applyset.kubernetes.io/id" in parent["metadata"]["labels"]
    assert "applyset.kubernetes.io/part-of" in kube.json("get cm set-two")["metadata"]["labels"]
    assert "configmap/set-two pruned" in kube(secrets, stdin=yaml.safe_dump(one), env=enabled)
    assert "set-two" not in kube("get cm")
    assert "set-one" in kube("get cm")


@pytest.mark.kubectl_since(27)
def test_kustomizations(newest: Kubectl, tmp_path: Path) -> None:
    """Built, applied, compared and deleted as one."""
    write(tmp_path, "web.yaml", sleeper("web"))
    kustomization = {
        "namePrefix": "team-",
        "labels": [{"pairs": {"team": "a"}, "includeSelectors": True}],
        "resources": ["web.yaml"],
        "configMapGenerator": [{"name": "settings", "literals": ["a=1"]}],
        "images": [{"name": "sleeper", "newTag": "2"}],
    }
    write(tmp_path, "kustomization.yaml", kustomization)
    built = list(yaml.safe_load_all(newest("kustomize .")))
    assert {item["kind"] for item in built} == {"ConfigMap", "Deployment"}
    applied = newest("apply -k .")
    assert "deployment.apps/team-web created" in applied
    assert newest.run("diff -k .").returncode == 0
    deployment = newest.json("get deploy team-web")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "sleeper:2"
    assert deployment["spec"]["selector"]["matchLabels"]["team"] == "a"
    assert 'deployment.apps "team-web" deleted' in newest("delete -k .")


@pytest.mark.kubectl_since(27)
def test_patches_of_every_type(kube: Kubectl, tmp_path: Path) -> None:
    """Strategic, merge and JSON patches, of the object and of its subresources, from files too."""
    kube.apply(sleeper("web"))
    assert "deployment.apps/web patched" in kube(
        "patch deploy web -p",
        json.dumps(
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {"name": "main", "env": [{"name": "A", "value": "1"}]},
                                {"name": "side", "image": "side", "command": ["sleep", "3600"]},
                            ]
                        }
                    }
                }
            }
        ),
    )
    spec = kube.json("get deploy web")["spec"]["template"]["spec"]
    assert [c["name"] for c in spec["containers"]] == ["main", "side"]
    assert spec["containers"][0]["image"] == "sleeper:1"
    removal = {"containers": [{"name": "side", "$patch": "delete"}]}
    (tmp_path / "patch.yaml").write_text(yaml.safe_dump({"spec": {"template": {"spec": removal}}}))
    kube("patch deploy web --patch-file patch.yaml")
    spec = kube.json("get deploy web")["spec"]["template"]["spec"]
    assert [c["name"] for c in spec["containers"]] == ["main"]
    kube("patch deploy web --type=merge -p", '{"metadata":{"labels":{"tier":"x","app":null}}}')
    assert kube.json("get deploy web")["metadata"]["labels"] == {"tier": "x"}
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/labels/tier", "value": "x"},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
        {"op": "add", "path": "/metadata/annotations", "value": {"note": "a/b"}},
        {"op": "copy", "from": "/metadata/annotations/note", "path": "/metadata/labels/note"},
    ]
    refused = kube.refused("patch deploy web --type=json -p", json.dumps(operations))
    assert 'metadata.labels: Invalid value: "a/b"' in refused
    kube("patch deploy web --type=json -p", json.dumps(operations[:3]))
    assert kube.json("get deploy web")["spec"]["replicas"] == 2
    operations[0]["value"] = "y"
    assert "the server rejected our request due to an error in our request" in kube.refused(
        "patch deploy web --type=json -p", json.dumps(operations)
    )
    assert "patched (no change)" in kube("patch deploy web -p", '{"spec":{"replicas":2}}')
    kube("patch deploy web --subresource=scale --type=merge -p", '{"spec":{"replicas":3}}')
    assert kube.json("get deploy web")["spec"]["replicas"] == 3
    condition = {"type": "Tested", "status": "True"}
    kube(
        "patch deploy web --subresource=status -p",
        json.dumps({"spec": {"replicas": 9}, "status": {"conditions": [condition]}}),
    )
    deployment = kube.json("get deploy web")
    assert deployment["spec"]["replicas"] == 3
    assert "Tested" in {c["type"] for c in deployment["status"]["conditions"]}


@pytest.mark.kubectl_since(27)
def test_edits_with_an_editor(kube: Kubectl, tmp_path: Path) -> None:
    """A change is patched, none is cancelled, an invalid one is offered again with its reason."""
    kube.apply(config_map("edited", a="one"), sleeper("web"))
    assert "configmap/edited edited" in kube(
        "edit cm edited", env={"KUBE_EDITOR": "sed -i s/one/2nd/"}
    )
    assert kube.json("get cm edited")["data"] == {"a": "2nd"}
    assert "no changes made" in kube("edit cm edited", env={"KUBE_EDITOR": "true"})
    both = kube(
        "edit deploy/web cm/edited",
        env={"KUBE_EDITOR": "sed -i -e s/sleeper:1/sleeper:2/ -e s/2nd/3rd/"},
    )
    assert "deployment.apps/web edited" in both
    assert "configmap/edited edited" in both
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        "if grep -q 'was not valid' $1; then cp $1 seen; sed -i 's/replicas: -1/replicas: 2/' $1\n"
        "else sed -i 's/replicas: 1$/replicas: -1/' $1; fi\n"
    )
    editor.chmod(0o755)
    kube("edit deploy web", env={"KUBE_EDITOR": str(editor)})
    assert kube.json("get deploy web")["spec"]["replicas"] == 2
    seen = (tmp_path / "seen").read_text()
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in seen
    kube("edit deploy web --subresource=status", env={"KUBE_EDITOR": "true"})


def test_replacing(kube: Kubectl, tmp_path: Path) -> None:
    """A replacement carries its version; a stale one conflicts; a forced one is a new object."""
    kube.apply(config_map("settings", a="1"))
    stale = kube.json("get cm settings")
    stale["data"] = {"a": "2"}
    kube("replace -f -", stdin=json.dumps(stale))
    assert kube.json("get cm settings")["data"] == {"a": "2"}
    conflict = kube.refused("replace -f -", stdin=json.dumps(stale))
    assert "Error from server (Conflict)" in conflict
    assert (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again" in conflict
    )
    file = write(tmp_path, "cm.yaml", config_map("settings", b="1"))
    forced = kube(f"replace --force -f {file}")
    assert "replaced" in forced
    new = kube.json("get cm settings")
    assert new["data"] == {"b": "1"}
    assert new["metadata"]["uid"] != stale["metadata"]["uid"]
    assert "NotFound" in kube.refused("replace -f -", stdin=json.dumps(config_map("nobody")))
