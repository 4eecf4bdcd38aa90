"""The synchronous twin of the embedded library, for programs without asyncio."""

from orchestrator.embedded.sync.cluster import SyncCluster
from orchestrator.embedded.sync.portal import Portal
from orchestrator.embedded.sync.streams import Stream
from orchestrator.embedded.sync.twins.client import SyncClient
from orchestrator.embedded.sync.twins.clocks import SyncClock

__all__ = ["Portal", "Stream", "SyncClient", "SyncClock", "SyncCluster"]
