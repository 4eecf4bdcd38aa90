"""Jobs and CronJobs whose pods are real processes, with every kubectl at hand."""

from __future__ import annotations

import pytest

from tests.clients.kubectl import Kubectl

pytestmark = pytest.mark.e2e


@pytest.mark.kubectl_since(27)
def test_a_job_runs_and_is_waited_for(each_kube: Kubectl) -> None:
    """Created on the command line, waited for, its output read, described, deleted with its pod."""
    each_kube("create job once --image=busybox -- sh -c", "echo hello")
    waited = each_kube("wait --for=condition=complete job/once --timeout=60s")
    assert waited == "job.batch/once condition met\n"
    assert each_kube("logs job/once") == "hello\n"
    listed = each_kube("get job once")
    assert "1/1" in listed
    assert "Complete" in listed
    told = each_kube("describe job once")
    assert "1 Succeeded / 0 Failed" in told
    assert "Completed" in told
    assert "Job completed" in told
    each_kube("delete job once")
    each_kube("wait pods --for=delete -l job-name=once --timeout=30s")
    assert "No resources found" in each_kube("get pods")


@pytest.mark.kubectl_since(27)
def test_a_job_fails_and_that_is_waited_for(kube: Kubectl) -> None:
    """A container's exit code, told by the condition."""
    kube.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "fails"},
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {"name": "main", "image": "x", "command": ["sh", "-c", "exit 3"]}
                        ],
                    }
                },
            },
        }
    )
    kube("wait --for=condition=failed job/fails --timeout=60s")
    reason = "jsonpath={.status.conditions[?(@.type=='Failed')].reason}"
    assert kube("get job fails -o", reason) == "BackoffLimitExceeded"
    assert "BackoffLimitExceeded" in kube("describe job fails")


def test_each_process_of_an_indexed_job_knows_its_index(kube: Kubectl) -> None:
    """By its environment and by its host's name."""
    kube.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "parts"},
            "spec": {
                "completions": 3,
                "parallelism": 3,
                "completionMode": "Indexed",
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "main",
                                "image": "x",
                                "command": ["sh", "-c", "echo part $JOB_COMPLETION_INDEX"],
                            }
                        ],
                    }
                },
            },
        }
    )
    kube("wait --for=condition=complete job/parts --timeout=60s")
    assert kube("get job parts -o", "jsonpath={.status.completedIndexes}") == "0-2"
    said = kube("logs -l job-name=parts --prefix=false")
    assert sorted(said.splitlines()) == ["part 0", "part 1", "part 2"]


@pytest.mark.kubectl_since(27)
def test_a_job_from_a_cron_job(kube: Kubectl) -> None:
    """Made by hand from the template, beside the schedule; suspended and looked at."""
    kube("create cronjob nightly --image=busybox", "--schedule=0 1 * * *", "--", "echo", "run")
    assert "0 1 * * *" in kube("get cronjob nightly")
    kube("create job tonight --from=cronjob/nightly")
    kube("wait --for=condition=complete job/tonight --timeout=60s")
    assert kube("logs job/tonight") == "run\n"
    kube("patch cronjob nightly -p", '{"spec":{"suspend":true}}')
    assert "True" in kube("get cronjob nightly --no-headers")
    kube("delete cronjob nightly")
    kube("wait job/tonight --for=delete --timeout=30s")
