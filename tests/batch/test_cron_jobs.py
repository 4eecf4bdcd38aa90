"""CronJobs in a whole simulated cluster.

Sections are those of https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/. The
cluster's clock starts at midnight, 1 January 2026, a Thursday.
"""

from __future__ import annotations

import asyncio
from typing import Any

from actors.testing import virtual

MIDNIGHT = 1767225600
MINUTE = MIDNIGHT // 60
CRON_JOBS = "cronjobs.batch"


def cron_job(batch: Any, schedule: str = "*/5 * * * *", run: float | None = 5, **spec: Any) -> Any:
    """Build a CronJob of Jobs that end by themselves."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {
                "metadata": {"labels": {"made": "by-tick"}, "annotations": {"of": "template"}},
                "spec": {"template": batch.template(run)},
            },
            **spec,
        },
    }


def status(cluster: Any) -> Any:
    """Return the CronJob's status."""
    return cluster.get("tick", CRON_JOBS).get("status") or {}


def jobs(cluster: Any) -> list[str]:
    """Return the names of the Jobs that are there."""
    return [job["metadata"]["name"] for job in cluster.store.list("jobs.batch")]


def reasons(cluster: Any) -> list[str]:
    """Return the reasons of the Events about the CronJob."""
    return [reason for reason, _ in cluster.events("tick")]


@virtual
async def test_a_job_is_made_at_each_time_of_the_schedule(batch: Any) -> None:
    """A CronJob creates a Job object approximately once per execution time; #job-creation."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch))
        await asyncio.sleep(299)
        assert jobs(cluster) == []
        await asyncio.sleep(2)
        name = f"tick-{MINUTE + 5}"
        assert jobs(cluster) == [name]
        made = cluster.get(name)
        owner = made["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("CronJob", "tick", True)
        assert made["metadata"]["labels"] == {"made": "by-tick"}
        assert made["metadata"]["annotations"] == {
            "of": "template",
            "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:05:00Z",
        }
        (active,) = status(cluster)["active"]
        assert (active["kind"], active["name"], active["uid"]) == (
            "Job",
            name,
            made["metadata"]["uid"],
        )
        assert status(cluster)["lastScheduleTime"] == "2026-01-01T00:05:00Z"
        await asyncio.sleep(30)
        assert "active" not in status(cluster)
        assert status(cluster)["lastSuccessfulTime"] == "2026-01-01T00:05:05Z"
        assert cluster.events("tick") == [
            ("SuccessfulCreate", f"Created job {name}"),
            ("SawCompletedJob", f"Saw completed job: {name}, condition: Complete"),
        ]


@virtual
async def test_some_finished_jobs_are_kept(batch: Any) -> None:
    """Three successful ones and one that failed, by default; #jobs-history-limits."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch))
        await asyncio.sleep(3620)
        assert jobs(cluster) == [f"tick-{MINUTE + minute}" for minute in (50, 55, 60)]
        await cluster.spec("tick", CRON_JOBS, successfulJobsHistoryLimit=0)
        await asyncio.sleep(10)
        assert jobs(cluster) == []
        await asyncio.sleep(60)
        assert cluster.store.list("pods") == []
        body = cluster.get("tick", CRON_JOBS)["spec"]["jobTemplate"]
        failing = {"template": batch.template(1, code=1), "backoffLimit": 0}
        await cluster.spec("tick", CRON_JOBS, jobTemplate={**body, "spec": failing})
        await asyncio.sleep(1800)
        assert len(jobs(cluster)) == 1
        assert "condition: Failed" in cluster.events("tick")[-1][1]


@virtual
async def test_jobs_may_overlap_when_that_is_allowed(batch: Any) -> None:
    """Allow: the CronJob allows concurrently running jobs; #concurrency-policy."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, run=None))
        await asyncio.sleep(901)
        assert len(status(cluster)["active"]) == 3
        assert len(jobs(cluster)) == 3


@virtual
async def test_a_job_waits_for_the_one_before_when_overlaps_are_forbidden(batch: Any) -> None:
    """Forbid: the run is skipped, and made up for when the one before ends; #concurrency-policy."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, run=400, concurrencyPolicy="Forbid"))
        await asyncio.sleep(601)
        assert jobs(cluster) == [f"tick-{MINUTE + 5}"]
        assert cluster.events("tick")[-1] == (
            "JobAlreadyActive",
            "Not starting job because prior execution is running and concurrency policy is Forbid",
        )
        await asyncio.sleep(120)
        assert jobs(cluster) == [f"tick-{MINUTE + 5}", f"tick-{MINUTE + 10}"]
        assert cluster.get(f"tick-{MINUTE + 10}")["status"]["startTime"] == "2026-01-01T00:11:40Z"


@virtual
async def test_a_job_takes_the_place_of_the_one_before(batch: Any) -> None:
    """Replace: the currently running job run is replaced with a new one; #concurrency-policy."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, run=None, concurrencyPolicy="Replace"))
        await asyncio.sleep(601)
        assert jobs(cluster) == [f"tick-{MINUTE + 10}"]
        assert [one["name"] for one in status(cluster)["active"]] == jobs(cluster)
        assert ("SuccessfulDelete", f"Deleted job tick-{MINUTE + 5}") in cluster.events("tick")
        assert "MissingJob" not in reasons(cluster)
        await asyncio.sleep(60)
        assert len(cluster.store.list("pods")) == 1


@virtual
async def test_a_suspended_schedule_makes_nothing(batch: Any) -> None:
    """Missed executions run at once when it goes on without a deadline; #schedule-suspension."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, suspend=True))
        await asyncio.sleep(1000)
        assert jobs(cluster) == []
        await cluster.spec("tick", CRON_JOBS, suspend=False)
        await asyncio.sleep(1)
        # The last of those that were missed, once.
        assert jobs(cluster) == [f"tick-{MINUTE + 15}"]


@virtual
async def test_a_run_that_is_too_late_is_skipped(batch: Any) -> None:
    """After missing the deadline the instance is skipped; #starting-deadline."""
    async with batch.open_batch() as cluster:
        body = cron_job(batch, suspend=True, startingDeadlineSeconds=30)
        await cluster.create(body)
        await asyncio.sleep(700)
        await cluster.spec("tick", CRON_JOBS, suspend=False)
        await asyncio.sleep(1)
        assert jobs(cluster) == []
        await asyncio.sleep(200)
        assert jobs(cluster) == [f"tick-{MINUTE + 15}"]


@virtual
async def test_more_than_a_hundred_missed_times_are_told(batch: Any) -> None:
    """It logs the error, with its hint; #job-creation."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, "* * * * *", suspend=True))
        await asyncio.sleep(102 * 60 + 30)
        await cluster.spec("tick", CRON_JOBS, suspend=False)
        await asyncio.sleep(1)
        assert jobs(cluster) == [f"tick-{MINUTE + 102}"]
        text = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check "
            "clock skew"
        )
        assert cluster.events("tick")[0] == ("TooManyMissedTimes", text)
        await asyncio.sleep(60)
        assert reasons(cluster).count("TooManyMissedTimes") == 1


@virtual
async def test_a_schedule_is_read_in_its_time_zone(batch: Any) -> None:
    """Kubernetes interprets the schedule relative to that zone; #time-zones."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, "30 9 * * *", timeZone="Asia/Tokyo"))
        await asyncio.sleep(1801)
        (name,) = jobs(cluster)
        stamp = cluster.get(name)["metadata"]["annotations"]
        assert (
            stamp["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T09:30:00+09:00"
        )


@virtual
async def test_a_changed_schedule_counts_from_now(batch: Any) -> None:
    """What the new one would have had before is not made up for; #modifying-a-cronjob."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, "0 0 * * *"))
        await asyncio.sleep(1000)
        await cluster.spec("tick", CRON_JOBS, schedule="*/10 * * * *")
        await asyncio.sleep(100)
        assert jobs(cluster) == []
        await asyncio.sleep(101)
        assert jobs(cluster) == [f"tick-{MINUTE + 20}"]


@virtual
async def test_jobs_of_others_hands_are_noticed(batch: Any) -> None:
    """One made by hand is told of, one that went is dropped from those that are active."""
    async with batch.open_batch() as cluster:
        made = await cluster.create(cron_job(batch, run=None))
        by_hand = batch.job("by-hand", run=None)
        by_hand["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "name": "tick",
                "uid": made["metadata"]["uid"],
                "controller": True,
            }
        ]
        await cluster.create(by_hand)
        await asyncio.sleep(1)
        assert cluster.events("tick") == [
            (
                "UnexpectedJob",
                "Saw a job that the controller did not create or forgot: by-hand",
            )
        ]
        assert "active" not in status(cluster)
        await asyncio.sleep(301)
        (active,) = status(cluster)["active"]
        await cluster.delete("jobs.batch", active["name"], propagation_policy="Background")
        await asyncio.sleep(1)
        assert "active" not in status(cluster)
        assert ("MissingJob", f"Active job went missing: {active['name']}") in cluster.events(
            "tick"
        )


@virtual
async def test_an_impossible_schedule_is_told(batch: Any) -> None:
    """The 31st of February passes validation and never comes."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, "59 23 31 2 *"))
        await asyncio.sleep(60)
        text = "time difference between two schedules is less than 1 second"
        assert cluster.events("tick") == [
            ("InvalidSchedule", f"invalid schedule: 59 23 31 2 * : {text}")
        ]
        assert jobs(cluster) == []


@virtual
async def test_jobs_go_with_their_cron_job(batch: Any) -> None:
    """Deleting the CronJob removes all the Jobs and Pods it created; #deleting-a-cronjob."""
    async with batch.open_batch() as cluster:
        await cluster.create(cron_job(batch, run=None))
        await asyncio.sleep(601)
        await cluster.delete(CRON_JOBS, "tick", propagation_policy="Background")
        await asyncio.sleep(60)
        assert jobs(cluster) == []
        assert cluster.store.list("pods") == []


@virtual
async def test_a_finished_job_goes_after_its_time_to_live(batch: Any) -> None:
    """It is cleaned up in cascade; https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job(ttlSecondsAfterFinished=100))
        await cluster.create(batch.job("at-once", ttlSecondsAfterFinished=0))
        await cluster.create(batch.job("stays"))
        await asyncio.sleep(20)
        assert jobs(cluster) == ["stays", "work"]
        await asyncio.sleep(84)
        assert jobs(cluster) == ["stays", "work"]
        await asyncio.sleep(3)
        assert jobs(cluster) == ["stays"]
        assert len(cluster.store.list("pods")) == 1


@virtual
async def test_a_time_to_live_can_be_set_later(batch: Any) -> None:
    """You can set it after the Job has finished; #ttl-after-finished-controller."""
    async with batch.open_batch() as cluster:
        await cluster.create(batch.job())
        await asyncio.sleep(500)
        await cluster.spec(ttlSecondsAfterFinished=600)
        await asyncio.sleep(100)
        assert jobs(cluster) == ["work"]
        await asyncio.sleep(10)
        assert jobs(cluster) == []
