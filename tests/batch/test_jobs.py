"""Jobs in a whole simulated cluster.

Sections are those of https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.job import core


@virtual
async def test_a_job_is_complete_as_soon_as_its_pod_terminates_successfully(batch: Any) -> None:
    """For a non-parallel Job, one pod is started; #parallel-jobs."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job())
        await cluster.until_over()
        await asyncio.sleep(1)
        status = cluster.status()
        assert status["succeeded"] == 1
        assert "failed" not in status
        assert "active" not in status
        assert (status["ready"], status["terminating"]) == (0, 0)
        assert status["uncountedTerminatedPods"] == {}
        assert status["completionTime"] > status["startTime"]
        reached = ("True", "CompletionsReached", "Reached expected number of succeeded pods")
        assert cluster.condition("SuccessCriteriaMet") == reached
        assert cluster.condition("Complete") == reached
        (pod,) = cluster.pods()
        name = pod["metadata"]["name"]
        assert name.startswith("work-")
        assert "finalizers" not in pod["metadata"]
        assert cluster.events() == [
            ("SuccessfulCreate", f"Created pod: {name}"),
            ("Completed", "Job completed"),
        ]


@virtual
async def test_pods_in_parallel_do_not_exceed_parallelism_or_what_is_left(batch: Any) -> None:
    """The actual number does not exceed the number of remaining completions.

    #controlling-parallelism.
    """
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(completions=5, parallelism=2))
        await asyncio.sleep(1)
        assert cluster.status()["active"] == 2
        assert cluster.status()["ready"] == 2
        await asyncio.sleep(5)
        assert (cluster.status()["active"], cluster.status()["succeeded"]) == (2, 2)
        await asyncio.sleep(5)
        assert (cluster.status()["active"], cluster.status()["succeeded"]) == (1, 4)
        await cluster.until_over()
        assert cluster.status()["succeeded"] == 5
        assert len(cluster.pods()) == 5


@virtual
async def test_a_work_queue_makes_no_pod_after_one_has_succeeded(batch: Any) -> None:
    """Once any pod has exited with success, no other pod should do any work; #parallel-jobs."""
    async with batch.open_batch() as cluster:
        body = batch.job(run=None, parallelism=3)
        await cluster.create(body)
        await asyncio.sleep(1)
        pods = cluster.pods()
        assert len(pods) == 3
        await finish(cluster, pods[0], "Succeeded")
        await asyncio.sleep(1)
        assert cluster.status()["active"] == 2
        assert not cluster.is_over()
        await finish(cluster, pods[1], "Failed")
        await asyncio.sleep(60)
        assert (cluster.status()["active"], cluster.status()["failed"]) == (1, 1)
        await finish(cluster, pods[2], "Succeeded")
        await cluster.until_over()
        assert cluster.status()["succeeded"] == 2
        assert cluster.condition("Complete")[0] == "True"


async def finish(cluster: Any, pod: Any, phase: str, **status: Any) -> None:
    """End a pod as a kubelet would report it."""

    def change(current: Any) -> Any:
        return {**current, "status": {**current["status"], "phase": phase, **status}}

    await cluster.store.modify(
        "pods", "default", pod["metadata"]["name"], change, subresource="status"
    )


@virtual
async def test_failed_pods_are_recreated_with_an_exponential_back_off_delay(batch: Any) -> None:
    """10s, 20s, 40s ... capped at six minutes; #pod-backoff-failure-policy."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(run=1, code=1, backoffLimit=3))
        await cluster.until_over()
        await asyncio.sleep(1)
        made = [pod["metadata"]["creationTimestamp"][14:19] for pod in cluster.pods()]
        assert made == ["00:00", "00:11", "00:32", "01:13"]
        assert cluster.status()["failed"] == 4
        reached = ("True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        assert cluster.condition("FailureTarget") == reached
        assert cluster.condition("Failed") == reached
        assert cluster.events()[-1] == reached[1:]
        assert "completionTime" not in cluster.status()


@virtual
async def test_restarts_of_containers_count_towards_the_limit(batch: Any) -> None:
    """With OnFailure the pod is terminated once the limit is reached.

    #pod-backoff-failure-policy.
    """
    async with batch.open_batch() as cluster:
        body = batch.job(run=1, code=1, backoffLimit=2)
        body["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
        await cluster.create(body)
        await cluster.until_over()
        assert cluster.condition("Failed")[1] == "BackoffLimitExceeded"
        assert cluster.status()["failed"] == 1
        await asyncio.sleep(60)
        assert cluster.pods() == []  # it was running: the Job deleted it


@virtual
async def test_a_deadline_ends_a_job_whatever_its_pods_do(batch: Any) -> None:
    """All running pods are terminated, type: Failed, reason: DeadlineExceeded.

    #job-termination-and-cleanup.
    """
    async with batch.open_batch() as cluster:
        body = batch.job(run=None, parallelism=2, completions=2, activeDeadlineSeconds=100)
        body["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/stop-seconds": "7"
        }
        await cluster.create(body)
        await asyncio.sleep(99)
        assert cluster.status()["active"] == 2
        await asyncio.sleep(2)
        reached = ("True", "DeadlineExceeded", "Job was active longer than specified deadline")
        assert cluster.condition("FailureTarget") == reached
        # The terminal condition waits for the pods.
        assert cluster.condition("Failed") == ("", "", "")
        assert cluster.status()["terminating"] == 2
        await cluster.until_over()
        assert cluster.condition("Failed") == reached
        assert cluster.status()["failed"] == 2
        assert cluster.status()["terminating"] == 0
        await asyncio.sleep(1)
        reasons = [reason for reason, _ in cluster.events()]
        assert reasons[-3:] == ["SuccessfulDelete", "SuccessfulDelete", "DeadlineExceeded"]


@virtual
async def test_suspending_deletes_the_pods_and_resuming_starts_the_clock_again(batch: Any) -> None:
    """Its .status.startTime will be reset to the current time; #suspending-a-job."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(run=30, suspend=True, activeDeadlineSeconds=100))
        await asyncio.sleep(5)
        assert "startTime" not in cluster.status()
        assert cluster.condition("Suspended") == ("True", "JobSuspended", "Job suspended")
        assert cluster.pods() == []
        await cluster.spec(suspend=False)
        await asyncio.sleep(5)
        began = cluster.status()["startTime"]
        assert cluster.condition("Suspended") == ("False", "JobResumed", "Job resumed")
        assert cluster.status()["active"] == 1
        await cluster.spec(suspend=True)
        await asyncio.sleep(5)
        assert cluster.pods() == []
        assert "active" not in cluster.status()
        assert "failed" not in cluster.status()  # who was sent away has not failed
        await asyncio.sleep(500)
        await cluster.spec(suspend=False)
        await cluster.until_over()
        assert cluster.condition("Complete")[0] == "True"
        assert cluster.status()["startTime"] > began
        await asyncio.sleep(1)
        reasons: Counter[str] = Counter()
        for event in cluster.store.list("events"):
            if event["involvedObject"]["kind"] == "Job":
                reasons[event["reason"]] += event.get("count", 1)
        assert reasons == {
            "Suspended": 2,
            "Resumed": 2,
            "SuccessfulCreate": 2,
            "SuccessfulDelete": 1,
            "Completed": 1,
        }


@virtual
async def test_each_pod_of_an_indexed_job_knows_its_index(batch: Any) -> None:
    """An annotation, a label, part of the hostname, and the environment; #completion-mode."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(completions=5, parallelism=3, completionMode="Indexed"))
        await cluster.until_over()
        assert cluster.status()["completedIndexes"] == "0-4"
        for index, pod in enumerate(
            sorted(cluster.pods(), key=lambda pod: pod["metadata"]["name"])
        ):
            metadata, spec = pod["metadata"], pod["spec"]
            key = "batch.kubernetes.io/job-completion-index"
            assert metadata["name"].startswith(f"work-{index}-")
            assert metadata["generateName"] == f"work-{index}-"
            assert metadata["annotations"][key] == metadata["labels"][key] == str(index)
            assert spec["hostname"] == f"work-{index}"
            (variable,) = spec["containers"][0]["env"]
            assert variable["name"] == "JOB_COMPLETION_INDEX"
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{key}']"


@virtual
async def test_an_indexed_job_grows_and_shrinks(batch: Any) -> None:
    """By mutating both .spec.parallelism and .spec.completions; #elastic-indexed-jobs."""
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(run=None, completions=2, parallelism=2, completionMode="Indexed")
        )
        await asyncio.sleep(1)
        await cluster.spec(completions=4, parallelism=4)
        await asyncio.sleep(1)
        assert indexes(cluster) == ["0", "1", "2", "3"]
        for pod in cluster.pods():
            if index_of(pod) in {"0", "3"}:
                await finish(cluster, pod, "Succeeded")
        await asyncio.sleep(1)
        assert cluster.status()["completedIndexes"] == "0,3"
        await cluster.spec(completions=2, parallelism=2)
        await asyncio.sleep(1)
        assert cluster.status()["completedIndexes"] == "0"
        assert cluster.status()["active"] == 1
        assert "failed" not in cluster.status()
        await finish(
            cluster, next(pod for pod in cluster.pods() if index_of(pod) == "1"), "Succeeded"
        )
        await cluster.until_over()
        assert cluster.status()["completedIndexes"] == "0,1"
        assert cluster.status()["succeeded"] == 2


def index_of(pod: Any) -> str:
    """Return a pod's completion index."""
    found: str = pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]
    return found


def indexes(cluster: Any) -> list[str]:
    """Return the indexes that have a pod."""
    return sorted(index_of(pod) for pod in cluster.pods())


@virtual
async def test_each_index_has_failures_of_its_own(batch: Any) -> None:
    """If the limit is exceeded the index is failed, the others go on; #backoff-limit-per-index."""
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(
                run=None,
                completions=3,
                parallelism=3,
                completionMode="Indexed",
                backoffLimitPerIndex=1,
            )
        )
        await asyncio.sleep(1)
        key = "batch.kubernetes.io/job-index-failure-count"
        assert [pod["metadata"]["annotations"][key] for pod in cluster.pods()] == ["0"] * 3
        (first,) = [pod for pod in cluster.pods() if index_of(pod) == "1"]
        await finish(cluster, first, "Failed")
        await asyncio.sleep(1)
        # Held until its follower knows how often the index failed.
        held = cluster.store.get("pods", "default", first["metadata"]["name"])
        assert held["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
        assert cluster.status()["failedIndexes"] == ""
        await asyncio.sleep(15)
        second = next(
            pod
            for pod in cluster.pods()
            if index_of(pod) == "1" and pod["metadata"]["name"] != first["metadata"]["name"]
        )
        assert second["metadata"]["annotations"][key] == "1"
        assert cluster.status()["failed"] == 1
        await finish(cluster, second, "Failed")
        await asyncio.sleep(60)
        assert cluster.status()["failedIndexes"] == "1"
        assert not cluster.is_over()
        for pod in cluster.pods():
            if index_of(pod) in {"0", "2"}:
                await finish(cluster, pod, "Succeeded")
        await cluster.until_over()
        assert cluster.condition("Failed") == ("True", "FailedIndexes", "Job has failed indexes")
        assert cluster.status()["completedIndexes"] == "0,2"
        assert cluster.status()["failed"] == 2


@virtual
async def test_too_many_failed_indexes_end_the_job(batch: Any) -> None:
    """When the number exceeds maxFailedIndexes, all remaining pods are terminated.

    #backoff-limit-per-index.
    """
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(
                run=None,
                completions=4,
                parallelism=4,
                completionMode="Indexed",
                backoffLimitPerIndex=0,
                maxFailedIndexes=1,
            )
        )
        await asyncio.sleep(1)
        pods = sorted(cluster.pods(), key=index_of)
        await finish(cluster, pods[0], "Failed")
        await asyncio.sleep(1)
        assert cluster.status()["failedIndexes"] == "0"
        await finish(cluster, pods[3], "Failed")
        await cluster.until_over()
        assert cluster.condition("Failed") == (
            "True",
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        )
        assert cluster.status()["failedIndexes"] == "0,3"
        assert cluster.status()["failed"] == 4


def terminated(code: int, name: str = "main") -> Any:
    """Build the statuses of one container that ended."""
    return [
        {"name": name, "state": {"terminated": {"exitCode": code, "reason": "Error"}}},
    ]


@virtual
async def test_an_exit_code_fails_the_whole_job(batch: Any) -> None:
    """FailJob: the Job is marked as Failed and all running pods are terminated.

    #pod-failure-policy.
    """
    rules = [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(run=None, completions=2, parallelism=2, podFailurePolicy={"rules": rules})
        )
        await asyncio.sleep(1)
        pod = cluster.pods()[0]
        name = pod["metadata"]["name"]
        await finish(cluster, pod, "Failed", containerStatuses=terminated(42))
        await cluster.until_over()
        message = (
            f"Container main for pod default/{name} failed with exit code 42 matching FailJob "
            "rule at index 0"
        )
        assert cluster.condition("Failed") == ("True", "PodFailurePolicy", message)
        assert cluster.status()["failed"] == 2
        await asyncio.sleep(1)
        assert cluster.events()[-1] == ("PodFailurePolicy", message)


@virtual
async def test_a_disruption_is_not_counted(batch: Any) -> None:
    """Ignore: the counter towards backoffLimit is not incremented, a replacement is created.

    #pod-failure-policy.
    """
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(run=None, backoffLimit=0, podFailurePolicy={"rules": rules}))
        await asyncio.sleep(1)
        disrupted = [{"type": "DisruptionTarget", "status": "True"}]
        await finish(cluster, cluster.pods()[0], "Failed", conditions=disrupted)
        await asyncio.sleep(30)
        assert not cluster.is_over()
        assert "failed" not in cluster.status()
        assert cluster.phases() == ["Failed", "Running"]
        running = next(pod for pod in cluster.pods() if pod["status"]["phase"] == "Running")
        await finish(cluster, running, "Failed", containerStatuses=terminated(1))
        await cluster.until_over()
        assert cluster.condition("Failed")[1] == "BackoffLimitExceeded"
        assert cluster.status()["failed"] == 1


@virtual
async def test_an_exit_code_fails_its_index(batch: Any) -> None:
    """FailIndex: avoids unnecessary retries within the index of a failed pod.

    #pod-failure-policy.
    """
    rules = [{"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1]}}]
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(
                run=None,
                completions=2,
                parallelism=2,
                completionMode="Indexed",
                backoffLimitPerIndex=5,
                podFailurePolicy={"rules": rules},
            )
        )
        await asyncio.sleep(1)
        first, second = sorted(cluster.pods(), key=index_of)
        await finish(cluster, first, "Failed", containerStatuses=terminated(7))
        await asyncio.sleep(1)
        assert cluster.status()["failedIndexes"] == "0"
        await finish(cluster, second, "Succeeded")
        await cluster.until_over()
        assert cluster.condition("Failed")[1] == "FailedIndexes"


@virtual
async def test_enough_indexes_make_a_success(batch: Any) -> None:
    """Lingering pods are terminated, Complete follows when they are; #success-policy."""
    rules = [{"succeededIndexes": "0,2-3", "succeededCount": 1}]
    async with batch.open_batch() as cluster:
        await cluster.create(
            batch.job(
                run=None,
                completions=5,
                parallelism=5,
                completionMode="Indexed",
                successPolicy={"rules": rules},
            )
        )
        await asyncio.sleep(1)
        pods = sorted(cluster.pods(), key=index_of)
        await finish(cluster, pods[1], "Succeeded")
        await asyncio.sleep(1)
        assert not cluster.is_over()
        await finish(cluster, pods[2], "Succeeded")
        await cluster.until_over()
        assert cluster.condition("SuccessCriteriaMet") == (
            "True",
            "SuccessPolicy",
            "Matched rules at index 0",
        )
        assert cluster.condition("Complete")[0] == "True"
        assert cluster.status()["succeeded"] == 2
        assert "failed" not in cluster.status()
        await asyncio.sleep(60)
        assert cluster.phases() == ["Succeeded", "Succeeded"]


@virtual
async def test_a_terminating_pod_is_replaced_at_once(batch: Any) -> None:
    """TerminatingOrFailed: pods are recreated as soon as they are being deleted.

    #pod-replacement-policy.
    """
    async with batch.open_batch() as cluster:
        pod = await one_slow_to_stop(batch, cluster)
        await cluster.delete("pods", pod["metadata"]["name"])
        await asyncio.sleep(11)
        assert cluster.status()["active"] == 1
        assert cluster.status()["terminating"] == 1
        assert cluster.status()["failed"] == 1
        await asyncio.sleep(20)
        assert (cluster.status()["terminating"], cluster.status()["failed"]) == (0, 1)


@virtual
async def test_a_terminating_pod_is_replaced_once_it_has_failed(batch: Any) -> None:
    """Failed: only once they are fully terminal; #pod-replacement-policy."""
    async with batch.open_batch() as cluster:
        pod = await one_slow_to_stop(batch, cluster, podReplacementPolicy="Failed")
        await cluster.delete("pods", pod["metadata"]["name"])
        await asyncio.sleep(19)
        assert "active" not in cluster.status()
        assert "failed" not in cluster.status()
        assert cluster.status()["terminating"] == 1
        await asyncio.sleep(30)
        assert cluster.status()["active"] == 1
        assert (cluster.status()["terminating"], cluster.status()["failed"]) == (0, 1)
        assert cluster.store.get("pods", "default", pod["metadata"]["name"]) is None


async def one_slow_to_stop(batch: Any, cluster: Any, **spec: Any) -> Any:
    """Start a Job whose pod takes 20 seconds to stop; return the pod."""
    body = batch.job(run=None, **spec)
    body["spec"]["template"]["metadata"] = {
        "annotations": {"simulation.orchestrator/stop-seconds": "20"}
    }
    await cluster.create(body)
    await asyncio.sleep(1)
    return cluster.pods()[0]


@virtual
async def test_pods_of_a_deleted_job_are_let_go(batch: Any) -> None:
    """When you delete the Job, its pods are removed too; who does not ask for it leaves them.

    #job-tracking-with-finalizers; pkg/registry/batch/job/strategy.go.
    """
    async with batch.open_batch() as cluster:
        for policy in ("Background", "Foreground", "Orphan", None):
            await cluster.create(batch.job(run=None, parallelism=2))
            await asyncio.sleep(1)
            pods = cluster.pods()
            await cluster.delete("jobs.batch", "work", propagation_policy=policy)
            await asyncio.sleep(40)
            assert cluster.store.get("jobs.batch", "default", "work") is None
            left = [cluster.store.get("pods", "default", pod["metadata"]["name"]) for pod in pods]
            if policy in ("Orphan", None):
                assert all(pod["metadata"].get("finalizers") is None for pod in left)
                assert all(pod["status"]["phase"] == "Running" for pod in left)
            else:
                assert left == [None, None]


@virtual
async def test_a_job_of_another_controller_is_left_alone(batch: Any) -> None:
    """The built-in controller does not reconcile it.

    #delegation-of-managing-a-job-object-to-external-controller.
    """
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(managedBy="example.com/other"))
        await cluster.create(batch.job("own", managedBy="kubernetes.io/job-controller"))
        await cluster.until_over("own")
        assert cluster.status() == {}
        assert cluster.pods() == []


@virtual
async def test_pods_that_a_quota_refuses_are_reported_and_made_later(batch: Any) -> None:
    """One Event says why, the status counts only pods that are there."""
    async with batch.open_batch() as cluster:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few"},
            "spec": {"hard": {"pods": "1"}},
        }
        await cluster.store.create(quota, resource="resourcequotas", namespace="default")
        await cluster.create(batch.job(completions=3, parallelism=3))
        await asyncio.sleep(3)
        assert cluster.status()["active"] == 1
        refused = [text for reason, text in cluster.events() if reason == "FailedCreate"]
        assert refused
        assert "exceeded quota: few" in refused[0]
        await asyncio.sleep(1000)  # finished pods do not count
        assert cluster.status()["succeeded"] == 3


@virtual
async def test_refused_pods_are_tried_again_within_a_minute(batch: Any) -> None:
    """However long they were refused: nothing tells when there is room again."""
    async with batch.open_batch() as cluster:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {"pods": "0"}},
        }
        await cluster.store.create(quota, resource="resourcequotas", namespace="default")
        await cluster.create(batch.job(run=None, completions=3, parallelism=3))
        await asyncio.sleep(3000)
        assert "active" not in cluster.status()
        await cluster.delete("resourcequotas", "none")
        await asyncio.sleep(60)
        assert cluster.status()["active"] == 3


@virtual
async def test_a_pod_of_the_right_labels_is_adopted_and_counted(batch: Any) -> None:
    """A Job with a selector of its own takes over pods without an owner.

    #specifying-your-own-pod-selector.
    """
    async with batch.open_batch() as cluster:
        lone = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "lone", "labels": {"app": "mine"}},
            "spec": batch.template(None)["spec"],
        }
        await cluster.store.create(lone, resource="pods", namespace="default")
        body = batch.job(run=None, manualSelector=True, selector={"matchLabels": {"app": "mine"}})
        body["spec"]["template"]["metadata"] = {"labels": {"app": "mine"}}
        await cluster.create(body)
        await asyncio.sleep(1)
        (pod,) = cluster.pods()
        assert pod["metadata"]["name"] == "lone"
        assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
        await cluster.store.modify(
            "pods",
            "default",
            "lone",
            lambda pod: {**pod, "metadata": {**pod["metadata"], "labels": {}}},
        )
        await asyncio.sleep(1)
        released = cluster.store.get("pods", "default", "lone")
        assert "finalizers" not in released["metadata"]
        assert "ownerReferences" not in released["metadata"]
        assert len(cluster.pods()) == 1


@virtual
async def test_a_deleted_pod_that_no_node_took_is_counted(batch: Any) -> None:
    """With Failed it is replaced once it has failed, which the pod collector says for it."""
    async with batch.open_batch() as cluster:
        body = batch.job(podReplacementPolicy="Failed", backoffLimit=1)
        body["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
        await cluster.create(body)
        await asyncio.sleep(1)
        (pod,) = cluster.pods()
        await cluster.delete("pods", pod["metadata"]["name"])
        await asyncio.sleep(60)
        assert cluster.status()["failed"] == 1
        (replacement,) = cluster.pods()
        assert replacement["metadata"]["name"] != pod["metadata"]["name"]


@virtual
async def test_pods_of_a_node_that_is_gone_are_replaced(batch: Any) -> None:
    """They are deleted, count as failed, and others run elsewhere; #pod-backoff-failure-policy."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(run=1000, completions=2, parallelism=2))
        await asyncio.sleep(5)
        lost = cluster.pods()[0]["spec"]["nodeName"]
        on_first = [pod for pod in cluster.pods() if pod["spec"]["nodeName"] == lost]
        await cluster.cluster.kill_node(lost)
        await asyncio.sleep(500)
        assert cluster.status()["failed"] == len(on_first)
        assert cluster.status()["active"] == 2
        await asyncio.sleep(1500)
        # Nobody knows whether the old ones still run: the Job is not over before they are.
        assert cluster.status()["succeeded"] == 2
        assert cluster.status()["terminating"] == len(on_first)
        assert cluster.condition("SuccessCriteriaMet")[0] == "True"
        assert not cluster.is_over()
        await cluster.store.delete("nodes", "", lost)
        await cluster.until_over()
        assert cluster.condition("Complete")[0] == "True"


@virtual
async def test_ended_pods_leave_their_addresses_to_the_next_ones(batch: Any) -> None:
    """A Job has more pods than its node has addresses: those that ended stay, without one."""
    async with batch.open_batch(nodes=1) as cluster:
        await cluster.create(batch.job(run=1, completions=300, parallelism=50))
        await cluster.until_over(seconds=600)
        pods = cluster.pods()
        assert len(pods) == 300
        assert all(pod["status"]["podIP"] for pod in pods)  # their statuses still say what it was
        first = pods[0]["status"]["podIP"]
        heirs = [pod for pod in pods if pod["status"]["podIP"] == first]
        assert len(heirs) > 1
        # The end of one that had an address must not take it from who has it now.
        await cluster.create(batch.job("last", run=None, completions=50, parallelism=50))
        await cluster.until(lambda: cluster.status("last").get("ready") == 50)
        await cluster.delete("jobs.batch", "work", propagation_policy="Background")
        await asyncio.sleep(60)
        await cluster.create(batch.job("more", run=None, completions=50, parallelism=50))
        await cluster.until(lambda: cluster.status("more").get("ready") == 50)
        held = [pod["status"]["podIP"] for name in ("last", "more") for pod in cluster.pods(name)]
        assert len(set(held)) == 100


@virtual
async def test_a_look_sees_the_pods_that_are_not_over_and_counted(
    batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a Job's cost grows with its completions, not with their square."""
    seen: list[int] = []
    decide = core.decide_job

    def counting(job: Any, observed: Any, now: float) -> Any:
        seen.append(len(observed.pods))
        return decide(job, observed, now)

    monkeypatch.setattr(core, "decide_job", counting)
    async with batch.open_batch() as cluster:
        listed = 0
        by_owner = cluster.store.by_owner

        def listing(uid: str, resource: str | None = None) -> Any:
            nonlocal listed
            listed += resource == "pods"
            return by_owner(uid, resource)

        monkeypatch.setattr(cluster.store, "by_owner", listing)
        await cluster.create(batch.job(completions=120, parallelism=6))
        await cluster.until_over()
        assert cluster.status()["succeeded"] == 120
        assert len(seen) > 20
        assert max(seen) <= 12, "pods of one round that end, and of the next that begin"
        assert listed <= 4, "at the first look, and when it is over"
