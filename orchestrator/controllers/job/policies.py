"""When a pod's failure, or enough success, ends a Job before its numbers do. Pure.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy and
#success-policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.controllers.job.indexes import Indexes
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, status_of


class Verdict(NamedTuple):
    """What a failure policy says of a failed pod.

    Attributes:
        action: Of the first rule that fits: ``Ignore``, ``Count``, ``FailIndex`` or ``FailJob``;
            None when none does.
        message: Why the Job fails, for ``FailJob``; else empty.
    """

    action: str | None
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether the failure counts towards the back-off limits."""
        return self.action != "Ignore"


_NO_RULE = Verdict(None)


def judge_failure(job: Object, pod: Object) -> Verdict:
    """Return what a Job's ``podFailurePolicy`` says of a failed pod."""
    policy = spec_of(job).get("podFailurePolicy")
    if policy is None:
        return _NO_RULE
    for at, rule in enumerate(policy.get("rules") or ()):
        why = _why(rule, pod)
        if why:
            action = rule.get("action")
            if action != "FailJob":
                return Verdict(action)
            return Verdict(action, f"{why} matching {action} rule at index {at}")
    return _NO_RULE


def _why(rule: Object, pod: Object) -> str:
    """Return how a pod fits a rule, in upstream's words, or nothing."""
    where = f"{namespace_of(pod)}/{name_of(pod)}"
    codes = rule.get("onExitCodes")
    if codes is not None:
        found = _exited(pod, codes)
        if found is None:
            return ""
        name, code = found
        return f"Container {name} for pod {where} failed with exit code {code}"
    condition = _condition(pod, rule.get("onPodConditions") or ())
    return f"Pod {where} has condition {condition}" if condition else ""


def _exited(pod: Object, wanted: Object) -> tuple[str, int] | None:
    status = status_of(pod)
    only = wanted.get("containerName")
    values = wanted.get("values") or ()
    for field in ("containerStatuses", "initContainerStatuses"):
        for item in status.get(field) or ():
            ended = (item.get("state") or {}).get("terminated")
            if ended is None or (only is not None and only != item.get("name")):
                continue
            code: int = ended.get("exitCode") or 0
            if code and (code in values) == (wanted.get("operator") == "In"):
                return item.get("name") or "", code
    return None


def _condition(pod: Object, patterns: Iterable[Object]) -> str:
    for condition in status_of(pod).get("conditions") or ():
        for pattern in patterns:
            if condition.get("type") == pattern.get("type") and condition.get(
                "status"
            ) == pattern.get("status", "True"):
                return condition.get("type") or ""
    return ""


def judge_success(job: Object, succeeded: Indexes) -> str:
    """Return why the succeeded indexes are enough for ``successPolicy``; empty when not."""
    spec = spec_of(job)
    policy = spec.get("successPolicy")
    if policy is None or not succeeded:
        return ""
    for at, rule in enumerate(policy.get("rules") or ()):
        count = rule.get("succeededCount")
        indexes = rule.get("succeededIndexes")
        if indexes is not None:
            wanted = Indexes.parse(indexes, spec.get("completions") or 0)
            if not wanted:
                continue
            common = wanted.common(succeeded)
            enough = common == len(wanted) or (count is not None and common >= count)
        else:
            enough = count is not None and len(succeeded) >= count
        if enough:
            return f"Matched rules at index {at}"
    return ""
