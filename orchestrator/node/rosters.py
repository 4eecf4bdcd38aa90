"""Which nodes there are here, and how each of them is: it lives, it died, it is cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from orchestrator.node.configs import NodeConfig
from orchestrator.node.partitions import Partitions

_KUBELET_PORT: Final = 10250


class Roster:
    """Takes note of what becomes of nodes, and answers for those that cannot themselves.

    It outlives the nodes' actors, and a manager that has a successor.
    """

    def __init__(self, configs: Iterable[NodeConfig] = ()) -> None:
        """Begin with nodes that live."""
        self.living: Final = {config.name: config for config in configs}
        """Those that live, those too that are cut off."""
        self.fallen: Final[dict[str, NodeConfig]] = {}
        """Those that were killed and not revived."""
        self.partitions: Final = Partitions(self._fell_silent)
        self._died: dict[str, float] = {}
        self._told: Callable[[str], None] | None = None
        self._known = dict(self.living)

    @property
    def known(self) -> Mapping[str, NodeConfig]:
        """All nodes that there have been, by name, those too that were removed."""
        return self._known

    def add(self, config: NodeConfig) -> None:
        """Take note that a node lives, or lives again."""
        self.living[config.name] = self._known[config.name] = config
        self._died.pop(config.name, None)
        self.fallen.pop(config.name, None)

    def kill(self, name: str, now: float) -> NodeConfig:
        """Take note of a node's death; returns what it was.

        Raises:
            KeyError: No living node has that name.
        """
        config = self.fallen[name] = self.living.pop(name)
        self._died[name] = now
        self._fell_silent(name)
        return config

    def remove(self, name: str) -> NodeConfig:
        """Take note that a node that died will not come back; returns what it was.

        Raises:
            KeyError: No killed node has that name.
        """
        config = self.fallen.pop(name)
        self._died.pop(name, None)
        return config

    def tell_silences(self, told: Callable[[str], None]) -> None:
        """See `NodeManager.tell_silences`."""
        self._told = told

    def _fell_silent(self, name: str) -> None:
        if self._told is not None:
            self._told(name)

    def reaches(self, name: str) -> bool:
        """Tell whether a node lives and is not cut off."""
        return name in self.living and name not in self.partitions

    def silent_address(self, name: str) -> str | None:
        """Return where a node does not answer that died or is cut off; None: it is neither."""
        if name not in self.fallen and name not in self.partitions:
            return None
        config = self.living.get(name) or self.fallen[name]
        return f"{config.address}:{_KUBELET_PORT}"

    def heartbeat(self, name: str, now: float) -> float | None:
        """When a node without a Lease was last alive; see `NodeManager.heartbeat`."""
        config = self.living.get(name)
        if config is None:
            return self._died.get(name)
        if config.heartbeat is not None:
            return None
        cut = self.partitions.since(name)
        return now if cut is None else cut
