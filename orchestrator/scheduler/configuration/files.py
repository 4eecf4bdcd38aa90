"""Reading a KubeSchedulerConfiguration from where a user keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from orchestrator.scheduler.configuration.points import Registry
from orchestrator.scheduler.configuration.profiles import SchedulerConfiguration
from orchestrator.scheduler.configuration.reading import ConfigurationError, parse_configuration

Source: TypeAlias = Path | str | Mapping[str, Any] | SchedulerConfiguration
"""A file, the document that would stand in it, or what it would be read into."""


def load_configuration(source: Source, others: Registry | None = None) -> SchedulerConfiguration:
    """Return the configuration that a source stands for.

    Args:
        source: A path as text or `Path`, a document, or a configuration, which is returned.
        others: Plugins beside the built-in ones.

    Raises:
        ConfigurationError: It cannot be read or used; the message has all reasons, and the file.
    """
    if isinstance(source, SchedulerConfiguration):
        return source
    if isinstance(source, Mapping):
        return parse_configuration(dict(source), others or {})
    path = Path(source)
    try:
        return parse_configuration(_read_yaml(path), others or {})
    except ConfigurationError as error:
        raise ConfigurationError(error.problems, str(path)) from None


def _read_yaml(path: Path) -> Any:
    import yaml

    class StrictLoader(yaml.SafeLoader):
        """Refuses a key that comes twice, whose first value would be lost."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                key = key_node.value
                if key != "<<" and key in seen:
                    raise ConfigurationError(
                        (f'line {key_node.start_mark.line + 1}: key "{key}" already set in map',)
                    )
                seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        text = path.read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, Loader=StrictLoader))
    except OSError as error:
        raise ConfigurationError((f"cannot be read: {error.strerror}",)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError((f"not YAML: {error}",)) from None
    documents = [document for document in documents if document is not None]
    if len(documents) != 1:
        raise ConfigurationError((f"expected one document, got {len(documents)}",))
    return documents[0]
