"""References of container images."""

from __future__ import annotations

import re

from orchestrator.resources.cel.declarations import Library
from orchestrator.resources.cel.errors import EvaluationError
from orchestrator.resources.cel.values import Opaque

IMAGES = Library()
_DEFAULT_REGISTRY = "index.docker.io"
_REPOSITORY = re.compile(r"[a-z0-9_./-]{2,255}")
_REGISTRY = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Image(Opaque):
    """A reference, by tag or by digest.

    Attributes:
        registry: Docker's where none is written.
        repository: With ``library/`` where Docker's has no other.
        tag: ``latest`` where neither is written; empty beside a digest.
        digest: Empty beside a tag.
    """

    __slots__ = ("digest", "registry", "repository", "tag")
    type_name = "kubernetes.Image"

    def __init__(self, registry: str, repository: str, tag: str, digest: str) -> None:
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and other.parts() == self.parts()

    def __hash__(self) -> int:
        return hash(self.parts())

    def parts(self) -> tuple[str, str, str]:
        """Return what tells references apart."""
        return self.registry, self.repository, self.tag or self.digest


@IMAGES.function("image", "(string) kubernetes.Image")
def _image(text: str) -> Image:
    name, at, digest = text.partition("@")
    last = name.rpartition("/")[2]
    tag = last.partition(":")[2]
    if ":" in last:
        name = name[: -len(tag) - 1]
    first, slash, rest = name.partition("/")
    hosted = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, repository = (first, rest) if hosted else (_DEFAULT_REGISTRY, name)
    if registry in {_DEFAULT_REGISTRY, "docker.io"}:
        registry = _DEFAULT_REGISTRY
        if "/" not in repository:
            repository = f"library/{repository}"
    proper = (
        _REGISTRY.fullmatch(registry) is not None
        and _REPOSITORY.fullmatch(repository) is not None
        and "" not in repository.split("/")
        and (not at or _DIGEST.fullmatch(digest) is not None)
        and (":" not in last or _TAG.fullmatch(tag) is not None)
    )
    if not proper:
        raise EvaluationError(f"could not parse reference: {text}")
    return Image(registry, repository, "" if at else tag or "latest", digest)


@IMAGES.function("isImage", "(string) bool")
def _is_image(text: str) -> bool:
    try:
        _image(text)
    except EvaluationError:
        return False
    return True


_STRING = f"{Image.type_name}.() string"
IMAGES.add("containsDigest", [f"{Image.type_name}.() bool"], lambda image: bool(image.digest))
IMAGES.add("registry", [_STRING], lambda image: image.registry)
IMAGES.add("repository", [_STRING], lambda image: image.repository)
IMAGES.add("tag", [_STRING], lambda image: image.tag)
IMAGES.add("digest", [_STRING], lambda image: image.digest)
IMAGES.add("identifier", [_STRING], lambda image: image.digest or image.tag)
