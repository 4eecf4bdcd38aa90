"""What writes do to objects, and what they are refused for."""

from __future__ import annotations

from typing import Any

import pytest

from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import with_meta
from orchestrator.store import Changed, Create, Delete, DeleteOptions, Modify


@virtual
async def test_a_created_object_gets_its_identity(kit: Any) -> None:
    """uid, creationTimestamp and resourceVersion are the store's."""
    async with kit.opened() as store:
        made = await store.create(
            with_meta(kit.config_map("a", x="1"), uid="mine", resourceVersion=None),
            resource="configmaps",
            namespace="default",
        )
        metadata = made["metadata"]
        assert metadata["resourceVersion"] == str(store.sequence)
        assert len(metadata["uid"]) == 36
        assert metadata["creationTimestamp"].endswith("Z")
        assert store.get("configmaps", "default", "a") is made


@virtual
async def test_a_name_can_be_taken_once(kit: Any) -> None:
    """The second create is refused in upstream's words."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        with pytest.raises(StatusError) as refused:
            await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")
        assert refused.value.message == 'configmaps "a" already exists'


@virtual
async def test_generated_names_have_five_letters_of_upstreams_alphabet(kit: Any) -> None:
    """And all differ."""
    async with kit.opened() as store:
        results = await store.write([Create("pods", kit.pod()) for _ in range(200)])
        names = {made["metadata"]["name"] for made in results}
        assert len(names) == 200
        assert all(
            set(name.removeprefix("web-")) <= set("bcdfghjklmnpqrstvwxz2456789") for name in names
        )
        assert {len(name) for name in names} == {len("web-") + 5}


@virtual
async def test_a_seed_repeats_names_and_uids(kit: Any) -> None:
    """One seed gives one history."""

    async def history() -> list[tuple[str, str]]:
        async with kit.opened(seeded=True) as store:
            made = await store.write([Create("pods", kit.pod()) for _ in range(5)])
            return [(one["metadata"]["name"], one["metadata"]["uid"]) for one in made]

    assert await history() == await history()


@virtual
async def test_a_stale_update_is_refused(kit: Any) -> None:
    """An update from an old revision conflicts; one without a version goes through."""
    async with kit.opened() as store:
        where = {"resource": "configmaps", "namespace": "default"}
        old = await store.create(kit.config_map("a", x="1"), **where)
        await store.update({**old, "data": {"x": "2"}}, **where, name="a")
        with pytest.raises(StatusError) as refused:
            await store.update({**old, "data": {"x": "3"}}, **where, name="a")
        assert refused.value.message == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )
        forced = await store.update(kit.config_map("a", x="4"), **where, name="a")
        assert forced["data"] == {"x": "4"}
        assert forced["metadata"]["uid"] == old["metadata"]["uid"]


@virtual
async def test_an_update_meant_for_another_object_is_refused(kit: Any) -> None:
    """The uid is a precondition."""
    async with kit.opened() as store:
        where = {"resource": "configmaps", "namespace": "default"}
        old = await store.create(kit.config_map("a", x="1"), **where)
        with pytest.raises(StatusError, match="Precondition failed: UID in precondition: other"):
            await store.update(with_meta(old, uid="other"), **where, name="a")


@virtual
async def test_a_write_that_changes_nothing_writes_nothing(kit: Any) -> None:
    """The version stays, and no follower is told."""
    async with kit.opened() as store:
        made = await store.create(
            kit.config_map("a", x="1"), resource="configmaps", namespace="default"
        )
        before = store.sequence
        same = await store.modify(
            "configmaps", "default", "a", lambda obj: {**obj, "data": {"x": "1"}}
        )
        assert same is made
        assert store.sequence == before


@virtual
async def test_a_dry_run_decides_and_writes_nothing(kit: Any) -> None:
    """What it answers has no version of its own, and a refusal is as the real one."""
    async with kit.opened() as store:
        before = store.sequence
        made = await store.create(
            kit.service("a"), resource="services", namespace="default", dry_run=True
        )
        assert made["spec"]["clusterIP"]
        assert "resourceVersion" not in made["metadata"]
        assert store.sequence == before
        assert store.get("services", "default", "a") is None
        real = await store.create(kit.service("b"), resource="services", namespace="default")
        assert real["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        assert int(real["metadata"]["resourceVersion"]) == before + 1


@virtual
async def test_a_namespace_has_to_exist(kit: Any) -> None:
    """404 names the namespace, not the object."""
    async with kit.opened() as store:
        with pytest.raises(StatusError) as refused:
            await store.create(kit.config_map("a", "no"), resource="configmaps", namespace="no")
        assert (refused.value.code, refused.value.message) == (404, 'namespaces "no" not found')


@virtual
async def test_a_namespace_goes_when_its_finalizers_are_gone(kit: Any) -> None:
    """Until then it is Terminating and takes no new content."""
    async with kit.opened() as store:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
        await store.create(namespace, resource="namespaces")
        going = await store.delete("namespaces", "", "team")
        assert going["status"]["phase"] == "Terminating"
        assert going["metadata"]["deletionTimestamp"]
        with pytest.raises(StatusError) as refused:
            await store.create(kit.config_map("a", "team"), resource="configmaps", namespace="team")
        assert refused.value.message == (
            'configmaps "a" is forbidden: unable to create new content in namespace team because '
            "it is being terminated"
        )
        assert refused.value.details is not None
        assert refused.value.details["causes"][0]["reason"] == "NamespaceTerminating"
        await store.modify(
            "namespaces", "", "team", lambda obj: {**obj, "spec": {}}, subresource="finalize"
        )
        assert store.get("namespaces", "", "team") is None


@virtual
async def test_system_namespaces_stay(kit: Any) -> None:
    """403, as upstream's admission answers."""
    async with kit.opened() as store:
        with pytest.raises(StatusError, match="this namespace may not be deleted") as refused:
            await store.delete("namespaces", "", "kube-system")
        assert refused.value.code == 403


@virtual
async def test_a_bound_pod_is_deleted_with_grace(kit: Any) -> None:
    """Marked first; a shorter grace shortens it; the node's confirmation removes it."""
    async with kit.opened() as store:
        await store.create(kit.pod("a", nodeName="n1"), resource="pods", namespace="default")
        marked = await store.delete("pods", "default", "a")
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        again = await store.delete("pods", "default", "a")
        assert again is marked
        shorter = await store.delete(
            "pods", "default", "a", options=DeleteOptions(grace_period_seconds=5)
        )
        assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
        assert shorter["metadata"]["deletionTimestamp"] < marked["metadata"]["deletionTimestamp"]
        await store.delete("pods", "default", "a", options=DeleteOptions(grace_period_seconds=0))
        assert store.get("pods", "default", "a") is None


@virtual
async def test_a_pod_that_runs_nowhere_is_deleted_at_once(kit: Any) -> None:
    """Nobody would confirm it."""
    async with kit.opened() as store:
        await store.create(kit.pod("a"), resource="pods", namespace="default")
        await store.delete("pods", "default", "a")
        assert store.get("pods", "default", "a") is None


@virtual
async def test_an_object_with_finalizers_waits_for_them(kit: Any) -> None:
    """The update that removes the last one removes the object."""
    async with kit.opened() as store:
        await store.create(
            with_meta(kit.config_map("a"), finalizers=["example.com/hold"]),
            resource="configmaps",
            namespace="default",
        )
        follower = store.follow(["configmaps"], lambda: None)
        await store.delete("configmaps", "default", "a")
        held = store.get("configmaps", "default", "a")
        assert held["metadata"]["deletionGracePeriodSeconds"] == 0
        await store.modify(
            "configmaps", "default", "a", lambda obj: with_meta(obj, finalizers=None)
        )
        assert store.get("configmaps", "default", "a") is None
        assert [event.type for event in follower.take()] == ["MODIFIED", "DELETED"]


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
def test_a_propagation_policy_becomes_a_finalizer(kit: Any, policy: str, finalizer: str) -> None:
    """The garbage collector does the rest."""

    @virtual
    async def run() -> None:
        async with kit.opened() as store:
            await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
            options = DeleteOptions(propagation_policy=policy)
            marked = await store.delete("configmaps", "default", "a", options=options)
            assert marked["metadata"]["finalizers"] == [finalizer]

    run()


@virtual
async def test_delete_preconditions_are_checked(kit: Any) -> None:
    """Upstream's words, with the kind where one would expect the resource."""
    async with kit.opened() as store:
        made = await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        with pytest.raises(StatusError) as refused:
            await store.delete("configmaps", "default", "a", options=DeleteOptions(uid="other"))
        assert refused.value.message == (
            'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) '
            f"does not match the UID in record ({made['metadata']['uid']}). "
            "The object might have been deleted and then recreated"
        )
        options = DeleteOptions(resource_version="1")
        with pytest.raises(StatusError, match="The object might have been modified"):
            await store.delete("configmaps", "default", "a", options=options)


@virtual
async def test_status_and_spec_are_written_apart(kit: Any) -> None:
    """A status write keeps the spec, a plain write keeps the status; spec changes are counted."""
    async with kit.opened() as store:
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": kit.pod("x")["spec"]},
            },
        }
        made = await store.create(deployment, resource="deployments.apps", namespace="default")
        assert made["metadata"]["generation"] == 1
        at = ("deployments.apps", "default", "web")
        after = await store.modify(
            *at,
            lambda obj: {**obj, "status": {"replicas": 3}, "spec": {**obj["spec"], "replicas": 9}},
            subresource="status",
        )
        assert after["status"] == {"replicas": 3}
        assert after["spec"]["replicas"] == 1
        scaled = await store.modify(
            *at, lambda obj: {**obj, "status": {}, "spec": {**obj["spec"], "replicas": 9}}
        )
        assert scaled["status"] == {"replicas": 3}
        assert scaled["spec"]["replicas"] == 9
        assert scaled["metadata"]["generation"] == 2


@virtual
async def test_pods_of_one_template_share_their_spec(kit: Any) -> None:
    """Defaults and admission are worked out once."""
    async with kit.opened() as store:
        first, second = await store.write([Create("pods", kit.pod()) for _ in range(2)])
        assert first["spec"] is second["spec"]
        assert first["spec"]["serviceAccountName"] == "default"
        assert first["spec"]["priority"] == 0
        assert [one["key"] for one in first["spec"]["tolerations"]] == [
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
        ]
        assert first["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@virtual
async def test_a_pod_needs_the_service_account_it_names(kit: Any) -> None:
    """Upstream's refusal, for users and for controllers; it goes once the account is there."""
    async with kit.opened() as store:
        asking = kit.pod("a", serviceAccountName="robot")
        text = (
            'pods "a" is forbidden: error looking up service account default/robot: '
            'serviceaccount "robot" not found'
        )
        with pytest.raises(StatusError) as refused:
            await store.create(asking, resource="pods", namespace="default")
        assert (refused.value.code, refused.value.message) == (403, text)
        (result,) = await store.write([Create("pods", asking)])
        assert isinstance(result, StatusError)
        (result,) = await store.write(
            [Create("pods", with_meta(asking, name="web-x7k2p", generateName="web-"))]
        )
        assert 'pods "web-" is forbidden' in str(result)
        (result,) = await store.write(  # a StatefulSet's
            [Create("pods", with_meta(asking, name="web-1", generateName="web-"))]
        )
        assert 'pods "web-1" is forbidden' in str(result)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
        await store.create(account, resource="serviceaccounts", namespace="default")
        (made,) = await store.write([Create("pods", asking)])
        assert made["spec"]["serviceAccountName"] == "robot"


@virtual
async def test_the_errors_of_a_batch_are_values_in_their_places(kit: Any) -> None:
    """One refusal refuses nothing else."""
    async with kit.opened() as store:
        bad = kit.pod("c", priorityClassName="nope")
        results = await store.write(
            [
                Create("configmaps", kit.config_map("a")),
                Create("pods", bad),
                Modify("configmaps", "default", "b", lambda obj: obj),
                Delete("configmaps", "default", "a"),
                Create("configmaps", kit.config_map("a", x="2")),
            ]
        )
        kinds = [r.reason if isinstance(r, StatusError) else r["kind"] for r in results]
        assert kinds == ["ConfigMap", "Forbidden", "NotFound", "ConfigMap", "ConfigMap"]
        assert store.get("configmaps", "default", "a")["data"] == {"x": "2"}


@virtual
async def test_an_invalid_object_is_refused_with_every_cause(kit: Any) -> None:
    """422 before the sequencer hears of it."""
    async with kit.opened() as store:
        bad = {**kit.pod("A_B"), "spec": {"containers": []}}
        with pytest.raises(StatusError) as refused:
            await store.create(bad, resource="pods", namespace="default")
        assert refused.value.code == 422
        assert refused.value.details is not None
        fields = {cause["field"] for cause in refused.value.details["causes"]}
        assert {"metadata.name", "spec.containers"} <= fields


@virtual
async def test_an_update_creates_where_upstream_does(kit: Any) -> None:
    """Endpoints may be put to a free name, ConfigMaps not."""
    async with kit.opened() as store:
        endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "a"}}
        made = await store.update(endpoints, resource="endpoints", namespace="default", name="a")
        assert made["metadata"]["uid"]
        with pytest.raises(StatusError) as refused:
            await store.update(
                kit.config_map("a"), resource="configmaps", namespace="default", name="a"
            )
        assert refused.value.code == 404


@virtual
async def test_what_the_store_alone_sets_cannot_be_changed_by_a_trusted_write(kit: Any) -> None:
    """Identity and deletion marks come from the current object."""
    async with kit.opened() as store:
        made = await store.create(kit.config_map("a"), resource="configmaps", namespace="default")
        (after,) = await store.write(
            [
                Modify(
                    "configmaps",
                    "default",
                    "a",
                    lambda obj: with_meta(obj, uid="x", deletionTimestamp="y", labels={"a": "b"}),
                )
            ]
        )
        assert after["metadata"]["uid"] == made["metadata"]["uid"]
        assert "deletionTimestamp" not in after["metadata"]
        assert after["metadata"]["labels"] == {"a": "b"}


@virtual
async def test_a_new_default_priority_reaches_pods_of_a_known_template(kit: Any) -> None:
    """What was made of a template is void once something changes that admission looked up."""
    async with kit.opened() as store:
        await store.write([Create("pods", kit.pod("a"))])
        high = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "high"},
            "value": 7,
            "globalDefault": True,
        }
        await store.create(high, resource="priorityclasses.scheduling.k8s.io")
        await store.write([Create("pods", kit.pod("b"))])
        found = [store.get("pods", "default", name)["spec"]["priority"] for name in "ab"]
        assert found == [0, 7]


@virtual
async def test_a_change_that_says_what_it_changed_is_written_as_if_compared(kit: Any) -> None:
    """What is stored, what followers see and what a restart finds are the same."""
    log = MemoryLog()
    async with kit.opened(log) as store:
        pods = [
            await store.create(kit.pod(name), resource="pods", namespace="default")
            for name in ("compared", "said")
        ]

        def after(pod: Any) -> Any:
            return {**pod, "status": {**pod["status"], "phase": "Running", "podIP": "10.0.0.1"}}

        def say(pod: Any) -> Any:
            return Changed(after(pod), {"status": {"phase": "Running", "podIP": "10.0.0.1"}})

        results = await store.write(
            [
                Modify("pods", "default", pod["metadata"]["name"], change, "status")
                for pod, change in zip(pods, (after, say), strict=True)
            ]
        )
        statuses = [store.get("pods", "default", name)["status"] for name in ("compared", "said")]
        assert statuses[0] == statuses[1] == {**pods[0]["status"], **statuses[0]}
        assert [result["status"] for result in results] == statuses
        written = [record.data async for chunk in log.read() for record in chunk][-2:]
        assert written[0] == written[1]
