"""Validation of a pod's own names and of how it looks up others.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    each_invalid,
    forbidden,
    invalid,
    required,
    too_long,
)
from orchestrator.resources.strategies._sharing import Part

_SERVERS_LIMIT: Final = 3
_SEARCHES_LIMIT: Final = 32
_SEARCH_CHARACTERS: Final = 2048
_HOSTNAME_LIMIT: Final = 64


def dns_problems(config: Part | None, policy: str | None, at: str) -> list[FieldError]:
    """Check ``dnsConfig``, which the policy ``None`` asks for."""
    if policy == "None":
        if config is None:
            return [required(at, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            return [
                required(
                    f"{at}.nameservers",
                    "must provide at least one DNS nameserver when `dnsPolicy` is None",
                )
            ]
    if config is None:
        return []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    found: list[FieldError] = []
    if len(servers) > _SERVERS_LIMIT:
        wrong = f"must not have more than {_SERVERS_LIMIT} nameservers"
        found.append(invalid(f"{at}.nameservers", servers, wrong))
    for index, server in enumerate(servers):
        found += each_invalid(f"{at}.nameservers[{index}]", server, names.ip_address(server))
    if len(searches) > _SEARCHES_LIMIT:
        wrong = f"must not have more than {_SEARCHES_LIMIT} search paths"
        found.append(invalid(f"{at}.searches", searches, wrong))
    if len(" ".join(searches)) > _SEARCH_CHARACTERS:
        wrong = (
            f"must not have more than {_SEARCH_CHARACTERS} characters (including spaces) in the "
            "search list"
        )
        found.append(invalid(f"{at}.searches", searches, wrong))
    for index, search in enumerate(searches):
        if search != ".":
            domain = search.removesuffix(".")
            found += each_invalid(
                f"{at}.searches[{index}]", domain, names.dns_search_domain(domain)
            )
    return found + [
        required(f"{at}.options[{index}]", "must not be empty")
        for index, option in enumerate(config.get("options") or ())
        if not option.get("name")
    ]


def host_name_problems(spec: Part, at: str) -> list[FieldError]:
    """Check the names that a pod's host goes by."""
    found: list[FieldError] = []
    for field in ("hostname", "subdomain"):
        if name := spec.get(field):
            found += each_invalid(f"{at}.{field}", name, names.dns_label(name))
    override = spec.get("hostnameOverride")
    if override is None:
        return found
    here = f"{at}.hostnameOverride"
    if len(override) > _HOSTNAME_LIMIT:
        found.append(too_long(here, _HOSTNAME_LIMIT))
    found += each_invalid(here, override, names.dns_subdomain(override))
    if spec.get("setHostnameAsFQDN"):
        wrong = "may not be specified when hostnameOverride is specified"
        found.append(forbidden(f"{at}.setHostnameAsFQDN", wrong))
    if spec.get("hostNetwork"):
        wrong = "may not be specified when hostnameOverride is specified"
        found.append(forbidden(f"{at}.hostNetwork", wrong))
    return found
