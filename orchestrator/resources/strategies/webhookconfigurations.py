"""Configurations of mutating and validating webhooks.

Source: pkg/apis/admissionregistration/validation/validation.go of Kubernetes.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    if_given,
    invalid,
    not_supported,
    required,
)
from orchestrator.resources.strategies._formats import (
    qualified_domain,
    webhook_service,
    webhook_url,
)
from orchestrator.resources.strategies._label_selectors import label_selector_problems
from orchestrator.resources.strategies._matching import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    REINVOCATION_POLICIES,
    condition_problems,
    default_rule,
    rule_problems,
)
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._sharing import Part, changed, each, filled
from orchestrator.resources.strategies._strategy import Strategy, build

_REVIEWS: Final = ("v1", "v1beta1")
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_LONGEST: Final = 30


def strategy(kind: Kind) -> Strategy:
    """Build the rules of the configuration of mutating or of validating webhooks."""
    more: dict[str, Any] = {}
    if kind.kind == "MutatingWebhookConfiguration":
        more = {"reinvocationPolicy": "Never"}

    def default(obj: Object) -> Object:
        return changed(obj, "webhooks", each(lambda hook: filled(_default(hook), **more)))

    return build(
        has_status=False,
        generation=True,
        default=default,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=False), _webhooks),
        update_checks=(metadata_update_check(),),
    )


def _default(hook: Part) -> Part:
    hook = filled(
        hook,
        failurePolicy="Fail",
        matchPolicy="Equivalent",
        namespaceSelector={},
        objectSelector={},
        timeoutSeconds=10,
    )
    hook = changed(hook, "rules", each(default_rule))
    return changed(hook, "clientConfig", default_client)


def default_client(config: Part) -> Part:
    """Default where a webhook answers."""
    return changed(config, "service", lambda service: filled(service, port=443))


def _webhooks(obj: Object) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        at = f"webhooks[{index}]"
        found += _webhook(hook, at)
        found += _versions(hook.get("admissionReviewVersions") or [], at)
        name = hook.get("name") or ""
        if name and name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return found


def _webhook(hook: Part, at: str) -> list[FieldError]:
    found = qualified_domain(f"{at}.name", hook.get("name") or "")
    for index, rule in enumerate(hook.get("rules") or ()):
        found += rule_problems(rule, f"{at}.rules[{index}]")
    found += if_given(f"{at}.failurePolicy", hook.get("failurePolicy"), FAILURE_POLICIES)
    found += if_given(f"{at}.matchPolicy", hook.get("matchPolicy"), MATCH_POLICIES)
    effects = hook.get("sideEffects")
    if effects is None:
        why = f"must specify one of {', '.join(_SIDE_EFFECTS)}"
        found.append(required(f"{at}.sideEffects", why))
    elif effects not in _SIDE_EFFECTS:
        found.append(not_supported(f"{at}.sideEffects", effects, _SIDE_EFFECTS))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        why = "the timeout value must be between 1 and 30 seconds"
        found.append(invalid(f"{at}.timeoutSeconds", seconds, why))
    for field in ("namespaceSelector", "objectSelector"):
        found += label_selector_problems(f"{at}.{field}", hook.get(field) or {})
    found += if_given(
        f"{at}.reinvocationPolicy", hook.get("reinvocationPolicy"), REINVOCATION_POLICIES
    )
    found += client_problems(hook.get("clientConfig") or {}, f"{at}.clientConfig")
    conditions = hook.get("matchConditions")
    return found + condition_problems(conditions, f"{at}.matchConditions", params=False)


def client_problems(config: Part, at: str) -> list[FieldError]:
    """Check where a webhook answers: at a URL or behind a Service."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(at, "exactly one of url or service is required")]
    if service is None:
        return webhook_url(f"{at}.url", str(url))
    return webhook_service(
        f"{at}.service",
        service.get("name") or "",
        service.get("namespace") or "",
        service.get("path"),
        service.get("port") or 0,
    )


def _versions(versions: list[str], at: str) -> list[FieldError]:
    field = f"{at}.admissionReviewVersions"
    known = ", ".join(_REVIEWS)
    if not versions:
        return [required(field, f"must specify one of {known}")]
    found: list[FieldError] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            found.append(invalid(f"{field}[{index}]", version, "duplicate version"))
            continue
        found += each_invalid(f"{field}[{index}]", version, names.dns_label_1035(version))
    if not any(version in _REVIEWS for version in versions):
        found.append(invalid(field, versions, f"must include at least one of {known}"))
    return found
