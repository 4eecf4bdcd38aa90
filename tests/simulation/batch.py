"""Users of Jobs and CronJobs, and what must hold of both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import Key, Object, is_deleting
from orchestrator.store import ObjectEvent, Store
from tests.simulation import manifests
from tests.simulation.invariants import FINISHED, Witness

if TYPE_CHECKING:
    from tests.simulation.workload import Client

JOBS = "jobs.batch"
CRON_JOBS = "cronjobs.batch"
MOST_JOBS = 6
MOST_CRON_JOBS = 2
STALE_SECONDS = 10.0
"""How old the spec may be on which the Job controller acts: it decides, then writes."""
TRACKING = "batch.kubernetes.io/job-tracking"


class BatchUser:
    """Makes, changes and deletes Jobs and CronJobs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._chance = client.chance
        self.choices = [
            (8, self._create_job),
            (4, self._change_job),
            (3, self._delete_job),
            (3, self._create_cron_job),
            (2, self._change_cron_job),
            (1, self._delete_cron_job),
        ]

    def _spec(self) -> Object:
        chance = self._chance
        script = {"run-seconds": str(chance.choice([0, 2, 30])), "exit-code": "0"}
        if chance.random() < 0.3:
            script["exit-code"] = "1"
        if chance.random() < 0.3:
            script["stop-seconds"] = chance.choice(["1", "never"])
        pods = manifests.template("job", "v1", script, cpu=100, grace=chance.choice([0, 1, 10]))
        policy = chance.choice(["Never", "Never", "OnFailure"])
        pods["spec"]["restartPolicy"] = policy
        spec: dict[str, Any] = {
            "parallelism": chance.choice([1, 1, 2, 3]),
            "backoffLimit": chance.choice([0, 1, 3]),
            "template": pods,
        }
        if chance.random() < 0.7:
            spec["completions"] = chance.choice([1, 2, 4])
            if chance.random() < 0.4:
                spec["completionMode"] = "Indexed"
                if policy == "Never" and chance.random() < 0.5:
                    spec["backoffLimitPerIndex"] = chance.choice([0, 1])
        if chance.random() < 0.3:
            spec["activeDeadlineSeconds"] = chance.choice([5, 60])
        if chance.random() < 0.4:
            spec["ttlSecondsAfterFinished"] = chance.choice([0, 30])
        if policy == "Never" and chance.random() < 0.3:
            spec["podReplacementPolicy"] = "Failed"
        if chance.random() < 0.1:
            spec["suspend"] = True
        return spec

    def _job(self) -> Object | None:
        return self._client.pick(self._client.world.store.list(JOBS))

    async def _create_job(self) -> None:
        client = self._client
        if len(client.world.store.list(JOBS)) < MOST_JOBS:
            made = {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": client.fresh("j")},
            }
            await client.create(JOBS, client.namespace(), {**made, "spec": self._spec()})

    async def _change_job(self) -> None:
        """Suspend or resume one, or let more of its pods run at once."""
        target = self._job()
        if target is None:
            return
        if self._chance.random() < 0.5:
            change: Object = {"suspend": not target["spec"].get("suspend")}
        else:
            change = {"parallelism": self._chance.randrange(4)}
        await self._client.change(
            JOBS, target, lambda obj: {**obj, "spec": {**obj["spec"], **change}}
        )

    async def _delete_job(self) -> None:
        target = self._job()
        if target is not None:
            policy = self._chance.choice([None, "Background", "Foreground", "Orphan"])
            await self._client.delete(JOBS, target, policy)

    def _cron_job(self) -> Object | None:
        return self._client.pick(self._client.world.store.list(CRON_JOBS))

    async def _create_cron_job(self) -> None:
        client, chance = self._client, self._chance
        if len(client.world.store.list(CRON_JOBS)) >= MOST_CRON_JOBS:
            return
        job = {**self._spec(), "ttlSecondsAfterFinished": 60}
        spec: dict[str, Any] = {
            "schedule": chance.choice(["* * * * *", "*/2 * * * *"]),
            "concurrencyPolicy": chance.choice(["Allow", "Forbid", "Forbid", "Replace"]),
            "jobTemplate": {"spec": job},
        }
        if chance.random() < 0.5:
            spec["startingDeadlineSeconds"] = 30
        made = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": client.fresh("c")},
        }
        await client.create(CRON_JOBS, client.namespace(), {**made, "spec": spec})

    async def _change_cron_job(self) -> None:
        target = self._cron_job()
        if target is not None:
            held = not target["spec"].get("suspend")
            await self._client.change(
                CRON_JOBS, target, lambda obj: {**obj, "spec": {**obj["spec"], "suspend": held}}
            )

    async def _delete_cron_job(self) -> None:
        target = self._cron_job()
        if target is not None:
            await self._client.delete(CRON_JOBS, target)


class BatchPromises:
    """What must hold of Jobs at every event.

    A pod counts once, whatever crashes between its end and the count; no more of them run at once
    than was asked for; what is over stays over; a CronJob that forbids it never has two at work.
    """

    def __init__(self, witness: Witness, now: Callable[[], float]) -> None:
        self._witness = witness
        self._now = now
        self._ended: dict[str, dict[str, set[str]]] = {}
        self._widths: dict[str, deque[tuple[float, int]]] = {}

    def see(self, event: ObjectEvent) -> None:
        """Check one event; everything before it is in the witness."""
        resource = event.key[0]
        if resource == "pods":
            self._see_pod(event)
        elif resource == JOBS:
            self._see_job(event)

    def _see_pod(self, event: ObjectEvent) -> None:
        pod = event.object
        owner = _controller(pod, "Job")
        if owner is None:
            return
        uid = pod["metadata"]["uid"]
        phase = (pod.get("status") or {}).get("phase", "")
        ended = self._ended.setdefault(owner["uid"], {"Succeeded": set(), "Failed": set()})
        if phase in FINISHED:
            ended[phase].add(uid)
        elif is_deleting(pod) or event.type == "DELETED":
            ended["Failed"].add(uid)
        if event.type == "ADDED":
            self._check_width(event, owner)

    def _check_width(self, event: ObjectEvent, owner: Object) -> None:
        widths = self._widths.get(owner["uid"])
        if not widths:
            return
        while len(widths) > 1 and widths[1][0] < self._now() - STALE_SECONDS:
            widths.popleft()
        active = [
            pod
            for key, pod in self._witness.objects.items()
            if key[0] == "pods"
            and key[1] == event.key[1]
            and (_controller(pod, "Job") or {}).get("uid") == owner["uid"]
            and not is_deleting(pod)
            and (pod.get("status") or {}).get("phase") not in FINISHED
        ]
        most = max(width for _, width in widths)
        self._witness.require(
            len(active) <= most, f"{event.key}: {len(active)} pods of its Job, allowed are {most}"
        )

    def _see_job(self, event: ObjectEvent) -> None:
        job, key, require = event.object, event.key, self._witness.require
        uid = job["metadata"]["uid"]
        widths = self._widths.setdefault(uid, deque())
        spec = job["spec"]
        widths.append((self._now(), 0 if spec.get("suspend") else spec.get("parallelism", 1)))
        status = job.get("status") or {}
        ended = self._ended.setdefault(uid, {"Succeeded": set(), "Failed": set()})
        if is_condition_true(job, "FailureTarget"):
            # Whom a failed Job sends away has failed, even if it succeeds at that very moment.
            noted = status.get("uncountedTerminatedPods") or {}
            ended["Failed"].update(noted.get("failed") or ())
        for phase, field in (("Succeeded", "succeeded"), ("Failed", "failed")):
            told, seen = status.get(field) or 0, len(ended[phase])
            require(told <= seen, f"{key}: {told} {field}, and {seen} pods have {phase}")
        before = (event.previous or {}).get("status") or {}
        over = outcome_of(before)
        require(
            over is None or outcome_of(status) == over,
            f"{key} was {over} and is {outcome_of(status)}",
        )
        if outcome_of(status) == "Complete" and spec.get("completions") and not over:
            told = status.get("succeeded") or 0
            require(told >= spec["completions"], f"{key} is complete with {told} successes")
        if event.type == "ADDED":
            self._check_alone(event)

    def _check_alone(self, event: ObjectEvent) -> None:
        """A CronJob that forbids it has no two Jobs at work."""
        owner = _controller(event.object, "CronJob")
        cron = owner and self._witness.objects.get(Key(CRON_JOBS, event.key[1], owner["name"]))
        if owner is None or not cron or cron["spec"].get("concurrencyPolicy") != "Forbid":
            return
        others = [
            str(key)
            for key, job in self._witness.objects.items()
            if key[0] == JOBS
            and key != event.key
            and (_controller(job, "CronJob") or {}).get("uid") == owner["uid"]
            and outcome_of(job.get("status") or {}) is None
            and not is_deleting(job)
        ]
        self._witness.require(not others, f"{event.key} was created beside {others}")


def outcome_of(status: Object) -> str | None:
    """Return ``Complete`` or ``Failed`` for a Job that is over, else None."""
    for condition in status.get("conditions") or ():
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            kind: str = condition["type"]
            return kind
    return None


def _controller(obj: Object, kind: str) -> Object | None:
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] == kind:
            found: Object = reference
            return found
    return None


def is_kept(store: Store, pod: Object) -> bool:
    """Tell whether its Job keeps a pod that is over, also one that is to go."""
    if TRACKING not in (pod["metadata"].get("finalizers") or ()):
        return False
    owners = {owner["uid"] for owner in pod["metadata"].get("ownerReferences") or ()}
    jobs = [job for job in store.list("jobs.batch") if job["metadata"]["uid"] in owners]
    over = (pod.get("status") or {}).get("phase") in FINISHED
    return over and any(_keeps_failed(job) for job in jobs if not is_deleting(job))


def _keeps_failed(job: Object) -> bool:
    """Tell whether the last failed pod of an index stays for the next one.

    A Job has no next one while it is suspended or may have no pods.
    """
    spec = job["spec"]
    stands = spec.get("suspend") or spec.get("parallelism") == 0
    return bool(stands and "backoffLimitPerIndex" in spec)


def batch_problems(store: Store) -> Iterator[str]:
    """Return what of Jobs has not come true, once faults are over."""
    for job in store.list(JOBS):
        name = f"{job['metadata']['namespace']}/{job['metadata']['name']}"
        status, spec = job.get("status") or {}, job["spec"]
        if is_deleting(job):
            continue
        pods = store.by_owner(job["metadata"]["uid"], "pods")
        if outcome_of(status) is None and not spec.get("suspend") and spec.get("parallelism") != 0:
            yield f"job {name}: still at work, {status}"
        if outcome_of(status) and "ttlSecondsAfterFinished" in spec:
            yield f"job {name}: is over, and its time has not come"
        for field in ("active", "terminating"):
            if (outcome_of(status) or spec.get("suspend")) and status.get(field):
                yield f"job {name}: {status[field]} {field}, and it is over or suspended"
        waiting = [
            key for key, found in (status.get("uncountedTerminatedPods") or {}).items() if found
        ]
        if waiting:
            yield f"job {name}: pods still to be counted as {waiting}"
        held = [
            pod["metadata"]["name"]
            for pod in pods
            if TRACKING in (pod["metadata"].get("finalizers") or ())
            and (pod.get("status") or {}).get("phase") in FINISHED
        ]
        if held and not _keeps_failed(job):
            yield f"job {name}: pods {held} are over and not counted"
