"""A charm-like reconciler, written with lightkube: one application, kept as its configuration says.

Each hook (``config-changed``, or ``update-status`` every five minutes) renders the templates,
applies them on the server's side under the charm's own field manager, removes what it made before
and no longer wants, and says how the application is. It never waits: a later hook looks again.

    python charm.py web '{"replicas": 2, "cache": true}'
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import httpx2
from lightkube import ApiError, Client, codecs
from lightkube.core.resource import NamespacedResource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Service

TEMPLATES = Path(__file__).with_name("templates")
MADE_BY = "charms.example.com/made-by"
KINDS: tuple[type[NamespacedResource], ...] = (ConfigMap, Service, Deployment)
"""What the templates are made of, and is looked for when something is to be removed."""

UPDATE_STATUS = float(os.environ.get("UPDATE_STATUS_SECONDS", "300"))
"""From one ``update-status`` hook to the next."""


@dataclass(frozen=True)
class Config:
    """What the user decides."""

    image: str = "busybox:1.36"
    replicas: int = 1
    greeting: str = "hello"
    cache: bool = False


@dataclass(frozen=True)
class Status:
    """How the application is, in a charm's words.

    Attributes:
        name: ``active``; ``waiting``, for what will come by itself; ``blocked``, the user has to
            act; ``maintenance``, the API was out of reach, and the hook will be run again.
        message: Why.
    """

    name: str
    message: str = ""


@dataclass
class Charm:
    """One application."""

    client: Client
    name: str
    config: Config = field(default_factory=Config)

    @property
    def manager(self) -> str:
        """The field manager under which it writes."""
        return f"charm-{self.name}"

    def reconcile(self) -> Status:
        """Make the application what it should be, and say how it is."""
        try:
            wanted = self.render()
            for obj in wanted:
                # By force: who else writes these fields is overruled, all others are left alone.
                self.client.apply(obj, field_manager=self.manager, force=True)
            self.prune(wanted)
            return self.look()
        except ApiError as error:
            if error.status.code in (400, 403, 422):
                return Status("blocked", error.status.message or "")
            return Status("maintenance", error.status.message or "")
        except httpx2.HTTPError as error:
            return Status("maintenance", repr(error))

    def render(self) -> list[Any]:
        """Return what should be there."""
        names = ["config", "service", "deployment"] + ["cache"] * self.config.cache
        values = {"name": self.name, "label": MADE_BY, **vars(self.config)}
        texts = [(TEMPLATES / f"{each}.yaml").read_text() for each in names]
        return [
            obj for text in texts for obj in codecs.load_all_yaml(Template(text).substitute(values))
        ]

    def prune(self, wanted: list[Any]) -> None:
        """Remove what it made before and no longer wants."""
        keep = {(type(obj), obj.metadata.name) for obj in wanted}
        for kind in KINDS:
            for obj in self.client.list(kind, labels={MADE_BY: self.name}):
                if (kind, obj.metadata.name) not in keep:
                    self.client.delete(kind, obj.metadata.name)

    def look(self) -> Status:
        """Say how the application is, by its Deployments."""
        for found in self.client.list(Deployment, labels={MADE_BY: self.name}):
            status, wanted = found.status, found.spec.replicas
            if (status.observedGeneration or 0) < found.metadata.generation:
                return Status("waiting", f"{found.metadata.name} is being looked at")
            for condition in status.conditions or ():
                if condition.type == "Progressing" and condition.status == "False":
                    return Status("blocked", condition.message or "")
            ready = min(status.updatedReplicas or 0, status.availableReplicas or 0)
            if ready < wanted or (status.replicas or 0) > wanted:
                return Status("waiting", f"{found.metadata.name}: {ready} of {wanted} are ready")
        return Status("active")


def main() -> None:
    """Run hooks until killed; says whenever the status changes."""
    name, config = sys.argv[1], Config(**json.loads(sys.argv[2]))
    charm = Charm(Client(namespace=os.environ.get("NAMESPACE", "default")), name, config)
    told = None
    while True:
        status = charm.reconcile()
        if status != told:
            print(status.name, status.message, flush=True)
            told = status
        time.sleep(UPDATE_STATUS)


if __name__ == "__main__":
    main()
