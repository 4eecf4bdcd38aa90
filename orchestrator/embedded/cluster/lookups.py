"""What was said of a cluster's images, for those that start them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.embedded.cluster.life import ClusterLife
    from orchestrator.embedded.containers.containers import Home
    from orchestrator.embedded.containers.images import Image, ImageBook
    from orchestrator.embedded.presence import Presence
    from orchestrator.node.images import SimulatedImage


class ImageLookup:
    """Looks images up, for a runtime that starts before anything was said of one."""

    def __init__(self, cluster: ClusterLife, presence: Presence) -> None:
        """Begin with nothing said."""
        self._cluster = cluster
        self._presence = presence
        self.book: ImageBook | None = None
        """What was said; None while nothing was."""

    @cached_property
    def home(self) -> Home:
        """What the cluster's containers share."""
        from orchestrator.embedded.containers.containers import Home

        return Home(self._cluster, self._presence)

    def __bool__(self) -> bool:
        return bool(self.book)

    def find(self, image: str) -> SimulatedImage | None:
        """Return what was said of an image; None where nothing was."""
        return None if self.book is None else self.book.find(image)

    def kept(self) -> ImageBook | None:
        """Return what was said up to now, to which nothing will be added."""
        return None if self.book is None else self.book.copy()

    def put_back(self, kept: ImageBook | None) -> None:
        """Let nothing have been said but what was `kept`."""
        self.book = None if kept is None else kept.copy()

    def declare(self, name: str, declared: SimulatedImage) -> Image:
        """Say what containers of an image do; see `ImageBook.declare`."""
        from orchestrator.embedded.containers.images import ImageBook

        if self.book is None:
            self.book = ImageBook()
        return self.book.declare(name, declared)
