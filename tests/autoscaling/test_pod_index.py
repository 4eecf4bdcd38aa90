"""The index of pods by the labels that selectors ask for, beside a plain look at all of them."""

from __future__ import annotations

import random
from collections.abc import Callable

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.controllers.autoscaler.pods import PodIndex
from orchestrator.controllers.autoscaler.targets import Selectors
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, labels_of
from orchestrator.resources.selectors import parse_label_selector
from orchestrator.store import Store, WindowLimits

SELECTORS = ("app=a", "app=b,tier=x", "tier in (x,y)", "app!=a", "app=c,tier", "")


def _labels(chance: random.Random) -> dict[str, str]:
    app, tier = chance.choice("abc"), chance.choice(["x", "y", ""])
    return {"app": app, **({"tier": tier} if tier else {})}


def _relabel(labels: dict[str, str]) -> Callable[[Object], Object]:
    return lambda obj: {**obj, "metadata": {**obj["metadata"], "labels": labels}}


@virtual
async def test_the_index_selects_what_a_look_at_all_pods_selects() -> None:
    """Whatever comes, goes and is relabelled, also when the index was not asked for long."""
    chance = random.Random(7)
    async with ActorSystem("test") as system:
        limits = WindowLimits(events=30)
        store = await Store.open(system, MemoryLog(), registry("1.35"), limits=limits)
        index = PodIndex(store)
        asked = 0
        for step in range(300):
            name, namespace = f"p{chance.randrange(12)}", chance.choice(["default", "kube-public"])
            present = store.get("pods", namespace, name)
            labels = _labels(chance)
            if present is None:
                pod: Object = {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": name, "labels": labels},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                }
                await store.create(pod, resource="pods", namespace=namespace)
            elif chance.random() < 0.5:
                await store.delete("pods", namespace, name)
            else:
                await store.modify("pods", namespace, name, _relabel(labels))
            if step % 50 < 40 and chance.random() < 0.3:
                asked += 1
                for text in SELECTORS:
                    selector = parse_label_selector(text)
                    expected = store.list("pods", namespace, labels=selector)
                    assert index.select(namespace, selector) == expected, text
        assert asked > 40
        index.close()


def test_selectors_are_found_by_the_labels_of_pods() -> None:
    """Also those that name no label, and not those that were dropped or changed."""
    selectors = Selectors()
    for name, text in {"one": "app=a,tier=x", "two": "tier=x", "all": "app"}.items():
        selectors.put("ns", name, parse_label_selector(text))
    selectors.put("other", "far", parse_label_selector("app=a"))
    pod = {"metadata": {"labels": {"app": "a", "tier": "x"}}}
    assert selectors.of_pods("ns", [labels_of(pod)]) == ["ns/all", "ns/one", "ns/two"]
    selectors.drop("ns", "all")
    selectors.put("ns", "two", parse_label_selector("tier=y"))
    assert selectors.of_pods("ns", [labels_of(pod)]) == ["ns/one"]
    assert selectors.of_pods("ns", [{}]) == []
