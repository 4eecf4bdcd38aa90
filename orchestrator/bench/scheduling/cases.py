"""Reads cases of workloads: their operations and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

from orchestrator.bench.scheduling.reading import Fields, parse_yaml, resembling
from orchestrator.bench.scheduling.workloads import (
    DEFAULT_PACE,
    Barrier,
    Churn,
    Count,
    CreateAny,
    CreateNamespaces,
    CreateNodes,
    CreatePods,
    CreatePodSets,
    DeletePods,
    Sleep,
    Step,
    Template,
    Workload,
    WorkloadError,
)

DEFAULT_NODE: Final[Template] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"generateName": "scheduler-perf-"},
    "status": {
        "capacity": {"cpu": "4", "memory": "32Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
"""What ``createNodes`` makes without a template, as scheduler_perf does."""


class CaseReader:
    """Reads the cases of one file."""

    def __init__(self, file: str, directory: Path, templates: Mapping[str, Any]) -> None:
        self._file = file
        self._directory = directory
        self._templates = templates
        self._loaded: dict[str, Template] = {}
        self._default: Template | None = None
        self._parameters: list[tuple[str, str]] = []  # paths and names of those that are used

    def case(self, case: Fields) -> list[Workload]:
        """Read one case with all its sizes."""
        name = case.take("name", str)
        about = case.take("about", str, "")
        core_target = case.maybe("coreTarget", float)
        case.ignore("featureGates", "schedulerConfigPath", "defaultThresholdMetricSelector")
        self._default = self._template(case, "defaultPodTemplate")
        self._parameters = []
        steps = tuple(self.step(step) for step in case.items("workloadTemplate"))
        if not any(isinstance(step, CreatePods) and step.measured for step in steps):
            raise case.error(
                "workloadTemplate",
                "nothing is measured; give one createPods operation collectMetrics: true",
            )
        found = []
        for size in case.items("workloads"):
            size.ignore("labels", "featureGates", "thresholdMetricSelector")
            floor = size.maybe("floor", float)
            if floor is None:
                floor = size.maybe("threshold", float)
            parameters = size.take("params", dict, {})
            self._check(size, parameters)
            found.append(
                Workload(
                    name=name,
                    size=size.take("name", str),
                    about=about,
                    steps=steps,
                    parameters=parameters,
                    floor=floor,
                    pace=floor or DEFAULT_PACE,
                    target=size.maybe("target", float),
                    core_target=core_target,
                )
            )
            size.finish()
        case.finish()
        return found

    def _check(self, size: Fields, parameters: Mapping[Any, Any]) -> None:
        for name, value in parameters.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise size.error(f"params.{name}", f"expected a number of 0 or more, not {value!r}")
        for path, name in self._parameters:
            if name not in parameters:
                raise WorkloadError(
                    f"{path}: there is no parameter {name} in {size.place('params')}; add it there."
                    + resembling(name, parameters)
                )

    def step(self, step: Fields) -> Step:
        """Read one operation."""
        opcode = step.choice("opcode", OPCODES)
        read: Step = getattr(self, f"_{opcode}")(step)
        step.finish()
        return read

    def _count(self, step: Fields, default: int | None = None) -> Count:
        name = step.take("countParam", str, "")
        if not name:
            count = step.take("count", int, default)
            if count < 0:
                raise step.error("count", f"{count} is less than 0; give it 0 or more")
            return count
        if not name.startswith("$"):
            raise step.error(
                "countParam", f"{name!r} is no parameter; write ${name}, or count: for a number"
            )
        if "count" in step:
            raise step.error("count", "countParam is given too; leave one of the two out")
        self._parameters.append((step.place("countParam"), name[1:]))
        return name

    def _template(self, fields: Fields, field: str) -> Template | None:
        """Return the template that ``<field>`` names or ``<field>Path`` leads to."""
        name = fields.maybe(field, str)
        if name is not None:
            if name not in self._templates:
                raise fields.error(
                    field, f"no template {name!r}.{resembling(name, self._templates)}"
                )
            return self._checked(self._templates[name], fields.place(field))
        path = fields.maybe(f"{field}Path", str)
        return None if path is None else self._from_file(path, fields.place(f"{field}Path"))

    def _from_file(self, path: str, place: str) -> Template:
        if path not in self._loaded:
            try:
                text = (self._directory / path).read_text("utf-8")
            except OSError as error:
                raise WorkloadError(
                    f"{place}: cannot read {self._directory / path}: {error.strerror}; "
                    f"paths start at the directory of {self._file}"
                ) from error
            if "{{" in text:
                raise WorkloadError(
                    f"{place}: {path} has {{{{ }}}} expressions of Go, which are not supported; "
                    "write the object out"
                )
            self._loaded[path] = self._checked(parse_yaml(text, path), place)
        return self._loaded[path]

    def _checked(self, template: Any, place: str) -> Template:
        if not isinstance(template, Mapping) or not template.get("kind"):
            raise WorkloadError(f"{place}: the template is no object with apiVersion and kind")
        return template

    def _createNodes(self, step: Fields) -> CreateNodes:  # noqa: N802 - the operation's name
        label = None
        if "uniqueNodeLabelStrategy" in step:
            raise step.error(
                "uniqueNodeLabelStrategy", "not supported: every node has kubernetes.io/hostname"
            )
        if "labelNodePrepareStrategy" in step:
            strategy = step.fields("labelNodePrepareStrategy")
            values = strategy.texts("labelValues")
            if not values:
                raise strategy.error("labelValues", "is empty; give it at least one value")
            label = (strategy.take("labelKey", str), values)
            strategy.finish()
        allocatable: dict[str, str] = {}
        volumes: dict[str, int] = {}
        if "nodeAllocatableStrategy" in step:
            strategy = step.fields("nodeAllocatableStrategy")
            strategy.ignore("migratedPlugins")
            allocatable = strategy.take("nodeAllocatable", dict, {})
            drivers = strategy.take("csiNodeAllocatable", dict, {})
            for driver, value in drivers.items():
                place = Fields(value, f"{strategy.path}.csiNodeAllocatable.{driver}")
                volumes[driver] = place.take("count", int)
                place.finish()
            strategy.finish()
        return CreateNodes(
            count=self._count(step),
            template=self._template(step, "nodeTemplate") or DEFAULT_NODE,
            label=label,
            allocatable=allocatable,
            volumes=volumes,
        )

    def _createNamespaces(self, step: Fields) -> CreateNamespaces:  # noqa: N802 - the operation's name
        return CreateNamespaces(
            prefix=step.take("prefix", str),
            count=self._count(step, 1),
            template=self._template(step, "namespaceTemplate"),
        )

    def _createAny(self, step: Fields) -> CreateAny:  # noqa: N802 - the operation's name
        template = self._template(step, "template")
        if template is None:
            raise step.error("template", "missing; name one of the templates")
        return CreateAny(
            template=template,
            count=self._count(step, 1),
            namespace=step.take("namespace", str, ""),
        )

    def _createPods(self, step: Fields) -> CreatePods:  # noqa: N802 - the operation's name
        template = self._template(step, "podTemplate") or self._default
        if template is None:
            raise step.error(
                "podTemplate", "missing, and the case has no defaultPodTemplate; give one of them"
            )
        volume = self._template(step, "persistentVolumeTemplate")
        claim = self._template(step, "persistentVolumeClaimTemplate")
        if (volume is None) != (claim is None):
            raise step.error(
                "persistentVolumeClaimTemplate",
                "a volume and its claim come together; give both templates or none",
            )
        waits = not step.take("skipWaitToCompletion", bool, default=False)
        measured = step.take("collectMetrics", bool, default=False)
        if measured and not waits:
            raise step.error(
                "skipWaitToCompletion", "measured pods are waited for; leave it out here"
            )
        return CreatePods(
            count=self._count(step),
            template=template,
            namespace=step.take("namespace", str, ""),
            volume=volume,
            claim=claim,
            measured=measured,
            waits=waits,
        )

    def _createPodSets(self, step: Fields) -> CreatePodSets:  # noqa: N802 - the operation's name
        inner = step.fields("createPodsOp")
        inner.ignore("opcode")
        pods = self._createPods(inner)
        inner.finish()
        if pods.measured:
            raise inner.error("collectMetrics", "only createPods itself can be measured")
        return CreatePodSets(
            prefix=step.take("namespacePrefix", str), count=self._count(step), pods=pods
        )

    def _churn(self, step: Fields) -> Churn:
        templates = [
            self._named(step, "templates", index, name)
            for index, name in enumerate(step.texts("templates") if "templates" in step else ())
        ]
        if "templatePaths" in step:
            paths = step.texts("templatePaths")
            place = step.place("templatePaths")
            templates += [self._from_file(path, f"{place}[{i}]") for i, path in enumerate(paths)]
        if not templates:
            raise step.error("templates", "missing or empty; name what to make")
        interval = step.take("intervalMilliseconds", int, 500)
        if interval < 1:
            raise step.error("intervalMilliseconds", f"{interval} is too short; give it 1 or more")
        return Churn(
            mode=cast("Literal['create', 'recreate']", step.choice("mode", ("create", "recreate"))),
            templates=tuple(templates),
            number=step.take("number", int, 0),
            interval=interval / 1000,
            namespace=step.take("namespace", str, ""),
        )

    def _named(self, step: Fields, field: str, index: int, name: str) -> Template:
        if name not in self._templates:
            hint = resembling(name, self._templates)
            raise step.error(f"{field}[{index}]", f"no template {name!r}.{hint}")
        return self._checked(self._templates[name], step.place(field))

    def _deletePods(self, step: Fields) -> DeletePods:  # noqa: N802 - the operation's name
        return DeletePods(
            namespace=step.take("namespace", str),
            labels=step.take("labelSelector", dict, {}),
            per_second=step.take("deletePodsPerSecond", int, 0),
            waits=not step.take("skipWaitToCompletion", bool, default=False),
        )

    def _barrier(self, step: Fields) -> Barrier:
        stage = step.choice("stageRequirement", ("Scheduled", "Attempted"), "Scheduled")
        return Barrier(stage=cast("Literal['Scheduled', 'Attempted']", stage))

    def _sleep(self, step: Fields) -> Sleep:
        text = step.take("duration", str)
        number, unit = text.rstrip("msh"), text[len(text.rstrip("msh")) :]
        try:
            return Sleep(seconds=float(number) * {"ms": 0.001, "s": 1.0, "m": 60.0}[unit])
        except (ValueError, KeyError):
            raise step.error("duration", f"{text!r} is no duration such as 500ms or 2s") from None


OPCODES = (
    "createNodes",
    "createNamespaces",
    "createAny",
    "createPods",
    "createPodSets",
    "churn",
    "deletePods",
    "barrier",
    "sleep",
)
