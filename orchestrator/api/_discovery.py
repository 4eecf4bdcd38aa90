"""Discovery: which groups, versions and resources are served. Built once per registry."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import orjson

from orchestrator.resources.kinds import Kind, KindRegistry, subresource

Document = dict[str, Any]

Remote: TypeAlias = tuple[str, str, list[Document]]
"""A group and version of another server, and what it has there."""


class Discovery:
    """All discovery documents of one registry, encoded when first asked for."""

    def __init__(
        self, registry: KindRegistry, address: str = "", remote: Sequence[Remote] = ()
    ) -> None:
        """Describe a registry.

        Args:
            registry: What is served.
            address: ``host:port`` clients outside reach the server at, for ``/api``.
            remote: Groups and versions of other servers, with the entries of their
                ``APIResourceList``; those of one group next to each other.
        """
        self._registry = registry
        self._remote = remote
        self._address = address
        self._cache: dict[str, tuple[bytes, bytes]] = {}

    @cached_property
    def _versions(self) -> dict[tuple[str, str], list[Kind]]:
        found: dict[tuple[str, str], list[Kind]] = {}
        for kind in self._registry.kinds():
            found.setdefault((kind.group, kind.version), []).append(kind)
        return found

    @property
    def _described(self) -> dict[tuple[str, str], list[Document]]:
        """What is said of versions whose objects are not stored here."""
        return {(group, version): listed for group, version, listed in self._remote}

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        """Groups to versions, those of other servers last."""
        groups = dict(self._registry.groups())
        for group, version, _ in self._remote:
            known = groups.get(group, ())
            if version not in known:
                groups[group] = (*known, version)
        return groups

    def paths(self) -> list[str]:
        """Return the discovery paths, for the list at ``/``."""
        paths = ["/api", "/api/v1", "/apis"]
        for group, versions in self._groups.items():
            if group:
                paths.append(f"/apis/{group}")
                paths += [f"/apis/{group}/{version}" for version in versions]
        return paths

    def find(self, path: str, aggregated: str) -> tuple[bytes, bytes] | None:
        """Return the document behind a path and its ETag; None when the path is not discovery's.

        Args:
            path: Without a trailing slash.
            aggregated: ``v2`` or ``v2beta1`` to answer ``/api`` and ``/apis`` with everything.
        """
        root = path in ("/api", "/apis")
        key = f"{path} {aggregated}" if root else path
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        document = self._aggregated(path, aggregated) if root and aggregated else self._plain(path)
        if document is None:
            return None
        data = orjson.dumps(document)
        etag = f'"{hashlib.sha256(data).hexdigest().upper()}"'.encode()
        self._cache[key] = (data, etag)
        return data, etag

    def _plain(self, path: str) -> Document | None:
        parts = path.strip("/").split("/")
        groups = self._groups
        match parts:
            case ["api"]:
                return {
                    "kind": "APIVersions",
                    "versions": ["v1"],
                    "serverAddressByClientCIDRs": [
                        {"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}
                    ],
                }
            case ["apis"]:
                listed = [_group(name, versions) for name, versions in groups.items() if name]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
            case ["apis", name] if name in groups:
                about: Document = {"kind": "APIGroup", "apiVersion": "v1"}
                return about | _group(name, groups[name])
            case ["api", version] if ("", version) in self._versions:
                # Upstream's list of the core group has no apiVersion.
                return {"kind": "APIResourceList", **self._resources("", version)}
            case ["apis", name, version] if (name, version) in self._versions and name:
                about = {"kind": "APIResourceList", "apiVersion": "v1"}
                return about | self._resources(name, version)
            case ["apis", name, version] if (name, version) in self._described:
                about = {"kind": "APIResourceList", "apiVersion": "v1"}
                listed = self._described[name, version]
                return about | {"groupVersion": f"{name}/{version}", "resources": listed}
            case _:
                return None

    def _resources(self, group: str, version: str) -> Document:
        resources: list[Document] = []
        for kind in sorted(self._versions[group, version], key=lambda kind: kind.plural):
            entry: Document = {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": list(kind.verbs),
            }
            if kind.short_names:
                entry["shortNames"] = list(kind.short_names)
            if kind.categories:
                entry["categories"] = list(kind.categories)
            if "watch" in kind.verbs:
                entry["storageVersionHash"] = _hash(self._registry.by_key(kind.resource))
            resources.append(entry)
            for name in kind.subresources:
                sub = subresource(kind, name)
                described: Document = {
                    "name": f"{kind.plural}/{name}",
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    "kind": sub.kind,
                    "verbs": list(sub.verbs),
                }
                if (sub.group, sub.version) != (kind.group, kind.version):
                    described |= {"group": sub.group, "version": sub.version}
                resources.append(described)
        return {
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": resources,
        }

    def _aggregated(self, path: str, version: str) -> Document:
        items = []
        remote = self._described
        for group, versions in self._groups.items():
            if (path == "/api") is not (group == ""):
                continue
            metadata: Document = {"creationTimestamp": None}
            if group:
                metadata["name"] = group
            items.append(
                {
                    "metadata": metadata,
                    "versions": [
                        _remote_version(group, served, remote[group, served])
                        if (group, served) in remote
                        else self._version(group, served)
                        for served in versions
                    ],
                }
            )
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }

    def _version(self, group: str, served: str) -> Document:
        kinds = sorted(self._versions[group, served], key=lambda kind: kind.plural)
        return {
            "version": served,
            "resources": [_aggregated_resource(kind) for kind in kinds],
            "freshness": "Current",
        }


def _remote_version(group: str, version: str, listed: list[Document]) -> Document:
    """Describe another server's version; one that does not answer is stale, as upstream says."""
    resources: dict[str, Document] = {}
    for entry in listed:
        name, _, part = str(entry.get("name", "")).partition("/")
        kind = {
            "group": entry.get("group") or group,
            "version": entry.get("version") or version,
            "kind": entry.get("kind", ""),
        }
        verbs = entry.get("verbs") or []
        if part:
            sub = {"subresource": part, "responseKind": kind, "verbs": verbs}
            if name in resources:
                resources[name].setdefault("subresources", []).append(sub)
            continue
        described: Document = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
            "singularResource": entry.get("singularName", ""),
            "verbs": verbs,
        }
        for field in ("shortNames", "categories"):
            if entry.get(field):
                described[field] = entry[field]
        resources[name] = described
    return {
        "version": version,
        "resources": list(resources.values()),
        "freshness": "Current" if listed else "Stale",
    }


def _group(name: str, versions: Iterable[str]) -> Document:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _aggregated_resource(kind: Kind) -> Document:
    entry: Document = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in (subresource(kind, name) for name in kind.subresources)
        ]
    return entry


def _hash(stored: Kind) -> str:
    """Return upstream's hash of the version that objects are stored in."""
    text = f"{stored.group}/{stored.version}/{stored.kind}"
    return b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()
