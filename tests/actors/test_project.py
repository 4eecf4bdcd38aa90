"""What must hold for the package as a whole."""

import asyncio
import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import uvloop

from actors import Actor, ActorRef, ActorSystem

ROOT = Path(__file__).resolve().parent.parent.parent


class Doubler(Actor[int]):
    async def receive(self, message: int) -> int:
        await asyncio.sleep(0)
        return message * 2


def test_uvloop_will_do() -> None:
    """The runtime uses nothing that only asyncio's own loop has."""

    async def main() -> None:
        async with ActorSystem() as system:
            ref = system.spawn(Doubler, "a")
            ref.tell(1)
            assert await ref.ask(21) == 42
            assert system.clock.now() > 0
            await system.stop(ref)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


class Heavy(Actor[Any]):
    """Something a weak reference can point at."""

    __slots__ = ("__weakref__",)

    def receive(self, message: Any) -> Any:
        return self.context.every(1, "tick")


async def test_a_stopped_actor_is_freed_without_the_collector() -> None:
    """Its memory does not wait for a cycle to be found."""
    async with ActorSystem() as system:
        ref: ActorRef[Any] = system.spawn(Heavy, "a")
        await ref.ask("set a timer")
        instance = weakref.ref(ref.actor)  # type: ignore[attr-defined] # a local ref is its cell
        gc.collect()
        gc.disable()
        try:
            await system.stop(ref)
            await asyncio.sleep(0)
            assert instance() is None
        finally:
            gc.enable()


def test_the_benchmark_runs() -> None:
    """Tiny, with all its rows and figures above zero."""
    pytest.importorskip("pykka", reason="pip install '.[test]' brings pykka")
    pytest.importorskip("thespian", reason="pip install '.[test]' brings thespian")
    done = subprocess.run(
        [sys.executable, "benchmarks/actors.py", "--tiny", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["benchmark"] == "actors"
    assert report["machine"]["cores"]
    assert all(row["value"] > 0 for row in report["rows"])


def test_the_example_of_the_guide_runs() -> None:
    """As it stands in docs/actors.md, and prints what it says there."""
    text = (ROOT / "docs" / "actors.md").read_text(encoding="utf-8")
    example = text.split("```python\n", 1)[1].split("```", 1)[0]
    assert len([line for line in example.splitlines() if line]) <= 15
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "5"
