"""Which encoding and which shape a client wants, from its ``Accept`` header.

The rules are apimachinery's: clauses in order of quality, the first that can be served wins; the
``as``, ``g`` and ``v`` parameters ask for another shape of the same data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from orchestrator.records import dataclass
from orchestrator.resources.errors import not_acceptable

Encoding = Literal["json", "yaml", "protobuf"]
Shape = Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_ENCODINGS: Final[dict[str, Encoding]] = {
    JSON: "json",
    "*/*": "json",
    "application/*": "json",
    YAML: "yaml",
    PROTOBUF: "protobuf",
}
_CONTENT_TYPES: Final[dict[Encoding, bytes]] = {
    "json": JSON.encode(),
    "yaml": YAML.encode(),
    "protobuf": PROTOBUF.encode(),
}
_SHAPES: Final[dict[str, Shape]] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadataList",
}
_META_VERSIONS: Final = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What to answer with.

    Attributes:
        encoding: How bytes are written.
        shape: Empty for the object itself.
        version: ``v1`` or ``v1beta1`` of meta.k8s.io, for other shapes.
    """

    encoding: Encoding
    shape: Shape = ""
    version: str = "v1"

    @property
    def content_type(self) -> bytes:
        """The ``Content-Type`` of the answer."""
        return _CONTENT_TYPES[self.encoding]

    @property
    def watch_content_type(self) -> bytes:
        """The ``Content-Type`` of a watch."""
        content_type = _CONTENT_TYPES[self.encoding]
        return content_type + b";stream=watch" if self.encoding == "protobuf" else content_type


PLAIN: Final = Accepted("json")
"""JSON and nothing else asked for."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One media range of an ``Accept`` header, parameters in lower-case keys."""

    media: str
    parameters: dict[str, str]
    quality: float


@lru_cache(maxsize=512)
def parse_accept(header: bytes) -> tuple[Clause, ...]:
    """Split an ``Accept`` header into clauses, the preferred first; malformed ones are dropped."""
    clauses = []
    for part in header.decode("latin-1").split(","):
        media, *rest = (piece.strip() for piece in part.split(";"))
        if not media:
            continue
        parameters = {}
        for piece in rest:
            name, _, value = piece.partition("=")
            parameters[name.strip().lower()] = value.strip().strip('"')
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if quality > 0:
            clauses.append(Clause(media.lower(), parameters, quality))
    return tuple(sorted(clauses, key=_rank))


def _rank(clause: Clause) -> tuple[float, bool, bool]:
    """Order by quality; of equal ones a named type comes before a range."""
    return -clause.quality, clause.media.startswith("*"), clause.media.endswith("/*")


@lru_cache(maxsize=512)
def negotiate(header: bytes, *, protobuf: bool = True, tables: bool = True) -> Accepted:
    """Choose the answer's encoding and shape for an object or a list.

    Args:
        header: ``Accept``.
        protobuf: The object has a protobuf form, as those of custom kinds have not. Metadata alone
            always has one, a Table never.
        tables: The object can be printed, as those that are only posted cannot.

    Raises:
        StatusError: 406, nothing in the header can be served.
    """
    if not header or header == b"application/json":
        return PLAIN
    for clause in parse_accept(header):
        encoding = _ENCODINGS.get(clause.media)
        if encoding is None:
            continue
        wanted = clause.parameters.get("as", "")
        if not wanted:
            if encoding == "protobuf" and not protobuf:
                continue
            return Accepted(encoding)
        shape = _SHAPES.get(wanted)
        if shape == "Table" and (encoding == "protobuf" or not tables):
            continue
        version = clause.parameters.get("v", "v1")
        group = clause.parameters.get("g", "meta.k8s.io")
        if shape is not None and group == "meta.k8s.io" and version in _META_VERSIONS:
            return Accepted(encoding, shape, version)
    raise not_acceptable(
        f"only the following media types are accepted: {JSON}, {YAML}, {PROTOBUF}",
    )


@lru_cache(maxsize=64)
def discovery_version(header: bytes) -> str:
    """Return ``v2`` or ``v2beta1`` when aggregated discovery is preferred, else ``""``.

    A client lists its preferences in one header; one that names plain JSON first gets that.
    """
    for clause in parse_accept(header):
        if clause.media not in (JSON, "*/*", "application/*"):
            continue
        if clause.parameters.get("g") == "apidiscovery.k8s.io":
            version = clause.parameters.get("v", "")
            if clause.parameters.get("as") == "APIGroupDiscoveryList" and version in (
                "v2",
                "v2beta1",
            ):
                return version
            continue
        return ""
    return ""
