"""How fast expressions are compiled and evaluated, and what policies add to a write.

    python benchmarks/cel.py [--json] [--tiny]

Beside them, in the same run, the same expressions in Google's own runtime (C++). Before a rate is
reported, both have given the same value. Creations go to the application without a socket, first
with no policy in the cluster and then with one of three validations that concerns them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cel_expr_python import cel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors import ActorSystem
from actors.log import MemoryLog
from benchmarks._report import Report, options, show
from benchmarks.custom import call, creations
from orchestrator.access import RbacAuthorizer
from orchestrator.api import ApiApplication, ApiConfig
from orchestrator.policies import MutatingPolicies, ValidatingPolicies
from orchestrator.resources.cel.environments import Environment
from orchestrator.resources.cel.types import DYN
from orchestrator.resources.kinds import registry
from orchestrator.store import Store

MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "/apis/admissionregistration.k8s.io/v1"
OBJECT = {
    "replicas": 3,
    "max": 5,
    "name": "web-1",
    "labels": {"app": "web"},
    "containers": [{"name": f"c{n}", "image": f"registry.example/c{n}:1"} for n in range(5)],
}
EXPRESSIONS = {
    "two fields": "self.replicas <= self.max",
    "a label": "has(self.labels) && 'app' in self.labels && self.labels.app == 'web'",
    "five containers": "self.containers.all(c, c.image.startsWith('registry.example/'))",
    "a pattern": "self.name.matches('^[a-z]+-[0-9]+$')",
}
RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["configmaps"],
}
POLICY = {
    "metadata": {"name": "bench"},
    "spec": {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [
            {"expression": "object.data.size() < 100"},
            {"expression": "object.data.all(key, object.data[key].size() < 1000)"},
            {"expression": "object.metadata.name.startsWith('configmap-')"},
        ],
    },
}
BINDING = {
    "metadata": {"name": "bench"},
    "spec": {"policyName": "bench", "validationActions": ["Deny"]},
}


def rate(function: Callable[[], Any], count: int) -> float:
    """Return calls a second, the best of three rounds."""
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(count):
            function()
        best = max(best, count / (time.perf_counter() - started))
    return best


def expressions(report: Report) -> None:
    """Measure the language."""
    count = 200 if report.tiny else 20_000
    ours, theirs = Environment({"self": DYN}), cel.NewEnv(variables={"self": cel.Type.DYN})
    for name, source in EXPRESSIONS.items():
        program, reference = ours.compile(source), theirs.compile(source)
        assert program.run([OBJECT])[0] is True
        assert reference.eval(data={"self": OBJECT}).plain_value() is True
        mine = rate(partial(program.run, [OBJECT]), count)
        other = rate(partial(reference.eval, data={"self": OBJECT}), count)
        report.add(f"{name}: evaluations", mine, "1/s")
        report.add(f"{name}: beside the reference", mine / other * 100, "%")
    source = EXPRESSIONS["five containers"]
    report.add("compilations", rate(lambda: ours.compile(source), max(count // 20, 10)), "1/s")
    heavy = "[1,2,3,4,5,6,7,8,9,10]"
    for name in "abcd":
        heavy = f"[1,2,3,4,5,6,7,8,9,10].map({name}, {heavy})"
    program = ours.compile(heavy)
    started = time.perf_counter()
    _, cost = program.run([OBJECT])
    report.add("units of cost", cost / (time.perf_counter() - started), "1/s")


async def writes(report: Report) -> None:
    """Measure what policies add to a creation."""
    count = 200 if report.tiny else 5000
    data = {f"key{n}": f"value {n}" for n in range(5)}
    maps = {"apiVersion": "v1", "kind": "ConfigMap", "data": data}
    rates = []
    for policies in (False, True):
        async with ActorSystem("bench") as system:
            store = await Store.open(system, MemoryLog(), registry("1.35"))
            access = RbacAuthorizer(store)
            store.admission.hooks = (
                MutatingPolicies(store, access),
                ValidatingPolicies(store, access),
            )
            app = ApiApplication(store, ApiConfig())
            if policies:
                await call(app, "POST", f"{GROUP}/validatingadmissionpolicies", POLICY)
                await call(app, "POST", f"{GROUP}/validatingadmissionpolicybindings", BINDING)
            rates.append(await creations(app, MAPS, maps, count))
    report.add("creations without a policy", rates[0], "1/s")
    report.add("creations with a policy", rates[1], "1/s")
    report.add("with / without", rates[1] / rates[0] * 100, "%")


def main() -> int:
    """Run the benchmark."""
    chosen = options("expressions and policies").parse_args()
    report = Report(benchmark="cel", tiny=chosen.tiny)
    expressions(report)
    asyncio.run(writes(report))
    show(report, as_json=chosen.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
