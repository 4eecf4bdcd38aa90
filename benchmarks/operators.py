"""Four operators, each tested twice: as for kind, and with this project's library.

    python benchmarks/operators.py [--json] [--tiny] [--kubeconfig FILE]

The tests are those of `tests/operators`, run as they are. The kind-style ones wait in real time,
with the operators' intervals cut to seconds; how long they slept and polled they count themselves,
and how much longer that is at the intervals that the operators have by default, computed from what
was waited for. They run against this project's own daemon, or any cluster's ``--kubeconfig``.
Their cluster's start is not in their figures: it stands apart, beside what others need.

What others need for a cluster's start is published, not measured: README's "Compared" says of what
worth such figures are. Neither kind nor envtest can be run here.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._report import Report, options, show

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS: Final = ROOT / "tests" / "operators"
SCENARIOS: Final = {
    "database": "kopf: timers, daemon, finalizer",
    "nightshift": "kr8s: a schedule by day",
    "charm": "lightkube: reconciler",
    "election": "two processes, one Lease",
}
PUBLISHED: Final = {
    "envtest: start of API server and etcd, no controllers": 5.0,
    "kind: start, with Docker and the node's image at hand": 33.0,
}


class Taken(NamedTuple):
    """What the tests of one file took.

    Attributes:
        tests: How many there are.
        seconds: All of them together.
        asleep: Of these, spent sleeping and between two looks.
        longer: So many more at the operators' own intervals.
        processor: Of processor time, of the whole process and its children, imports included; on
            a machine that others work on it says more than the seconds.
    """

    tests: int
    seconds: float
    asleep: float
    longer: float
    processor: float = 0.0


def read_report(text: str) -> Taken:
    """Read pytest's JUnit report.

    Raises:
        RuntimeError: A test failed, or there is none.
    """
    cases = list(ET.fromstring(text).iter("testcase"))
    bad = [case.get("name") for case in cases if case.find("failure") is not None]
    bad += [case.get("name") for case in cases if case.find("error") is not None]
    if bad or not cases:
        raise RuntimeError(f"no figures without tests that pass: {', '.join(map(str, bad))}")
    told = {"asleep": 0.0, "longer": 0.0}
    for case in cases:
        for each in case.iter("property"):
            if (name := each.get("name", "")) in told:
                told[name] += float(each.get("value", "0"))
    return Taken(len(cases), sum(float(case.get("time", "0")) for case in cases), **told)


def run_tests(path: Path, duration: str, kubeconfig: str | None) -> Taken:
    """Run one file's tests in a process of their own; ``duration`` is pytest's word for which."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
        command += [f"--junitxml={report}", "-o", f"junit_duration_report={duration}"]
        command += ["-o", "junit_family=xunit1"]
        environment = dict(os.environ)
        if kubeconfig is not None:
            environment["OPERATORS_KUBECONFIG"] = kubeconfig
        before = children_seconds()
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise RuntimeError(f"pytest did not run: {done.stdout}{done.stderr}")
        taken = read_report(report.read_text())
        return taken._replace(processor=children_seconds() - before)


def children_seconds() -> float:
    """Return the processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def add_scenario(report: Report, name: str, kind: Taken, library: Taken) -> None:
    """Add one operator's figures."""
    what = f"{name} ({SCENARIOS[name]})"
    honest = kind.seconds + kind.longer
    report.add(
        f"{what}: kind-style, intervals cut",
        kind.seconds,
        "s",
        note=f"{kind.tests} test, {kind.asleep:.1f} s asleep",
    )
    report.add(f"{what}: kind-style, its own intervals", honest, "s", note="computed")
    report.add(
        f"{what}: library",
        library.seconds,
        "s",
        note=f"{library.tests} tests, {library.processor:.1f} s of processor time with imports",
    )
    each = library.seconds / library.tests
    report.add(f"{what}: library, a test", each, "s")
    report.add(f"{what}: own intervals ÷ library", honest / library.seconds, "ratio")


def main() -> None:
    """Measure and print."""
    parser = options("Operators' own scenarios, twice each: as for kind, and with the library.")
    parser.add_argument("--kubeconfig", help="of the cluster for the kind-style tests")
    arguments = parser.parse_args()
    report = Report(benchmark="operators", seed=arguments.seed, tiny=arguments.tiny)
    for name in ["charm"] if arguments.tiny else list(SCENARIOS):
        file = f"test_{name}.py"
        kind = run_tests(TESTS / "kind_style" / file, "call", arguments.kubeconfig)
        add_scenario(report, name, kind, run_tests(TESTS / file, "total", None))
    for what, seconds in PUBLISHED.items():
        report.add(f"{what} (published)", seconds, "s")
    show(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
