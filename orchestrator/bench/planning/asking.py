"""A question and its answer, told to people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.bench.compare.amounts import RESOURCES, Amounts
from orchestrator.bench.failures import UserError
from orchestrator.bench.planning import fitting, leaving, needing
from orchestrator.bench.planning.manifests import documents_of, read_load, read_template
from orchestrator.bench.planning.observed import Observed, is_of_daemonset
from orchestrator.bench.planning.placing import begin
from orchestrator.bench.planning.sources import read_cluster
from orchestrator.bench.policies import Policy, load_policies
from orchestrator.bench.progress import Progress
from orchestrator.bench.tables import Table
from orchestrator.bench.traces.files import is_own, read_trace
from orchestrator.bench.traces.records import Record, sort_records
from orchestrator.bench.words import amount
from orchestrator.resources.objects import Object, controller_of, name_of

_NAMES: Final = 5
"""Nodes that a headline names."""

_ROWS: Final = 30
"""Rows of a table before it is cut; ``--json`` has all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question: the options of ``orchestrator bench plan``."""

    cluster: Path | None
    context: str | None = None
    fit: Path | None = None
    limit: int = fitting.LIMIT
    without: tuple[str, ...] = ()
    load: Path | None = None
    node_template: str | None = None
    max_pending: float = 0.0
    policy: str = "default"
    seed: int = 1


@dataclass(slots=True)
class Answer:
    """An answer.

    Attributes:
        record: All of it, for programs.
        headline: The answer in a line.
        table: Its details; None if there are none.
        lines: What else there is to say.
        notes: What a user should know.
        code: The command's exit code: 1 if what was asked for cannot be.
    """

    record: dict[str, Any]
    headline: str
    table: Table | None = None
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: int = 0


def answer(ask: Ask, progress: Progress) -> Answer:
    """Answer a question.

    Raises:
        UserError: Something that was given cannot be used.
    """
    (policy,) = load_policies([ask.policy])
    observed = None
    if ask.cluster is not None:
        observed = read_cluster(ask.cluster, progress, ask.context)
    if ask.load is not None:
        return _need(ask, ask.load, policy, observed, progress)
    assert observed is not None
    if ask.fit is not None:
        return _fit(ask, ask.fit, policy, observed, progress)
    return _leave(ask, policy, observed, progress)


# ---- how many more fit


def _fit(ask: Ask, path: Path, policy: Policy, observed: Observed, progress: Progress) -> Answer:
    pod = read_template(path, observed.objects["PriorityClass"])
    with progress.meter("placing what is there", 0):
        situation = begin(observed, policy, ask.seed)
    with progress.meter(f"fitting {name_of(pod)}", 0) as meter:
        found = fitting.fit(situation, pod, meter, ask.limit)

    pods = "pod fits" if found.count == 1 else "pods fit"
    table = Table(["node", "pods", "what stops the next one there"], left=(0, 2))
    rows = sorted(found.nodes.items(), key=lambda item: (-item[1], item[0]))
    for node, count in rows[:_ROWS]:
        table.add(node, f"{count:,}", found.reasons.get(node, ""))
    ending = f"stopped at the limit of {found.limit:,} (--limit)"
    if found.stopped:
        ending = f"the next one: {found.stopped}"
    return Answer(
        record={"question": "fit", **asdict(found)},
        headline=f"{found.count:,} more {found.pod} {pods} on {len(found.nodes):,} nodes",
        table=table if rows else None,
        lines=[*_cut(len(rows), "nodes"), ending],
        notes=situation.notes,
    )


# ---- what if nodes go


def _leave(ask: Ask, policy: Policy, observed: Observed, progress: Progress) -> Answer:
    with progress.meter("placing what is there", 0):
        situation = begin(observed, policy, ask.seed)
    with progress.meter("moving pods", 0):
        found = leaving.leave(situation, ask.without)
    moved = [move for move in found.moves if move.target is not None]
    stuck = [move for move in found.moves if move.target is None]

    table = Table(["pod", "from", "to", ""], left=(0, 1, 2, 3))
    rows = stuck + moved
    for move in rows[:_ROWS]:
        table.add(move.pod, move.source, move.target or "-", _what(move))
    lines = _cut(len(rows), "pods")
    for reason in dict.fromkeys(move.why for move in stuck):
        count = sum(move.why == reason for move in stuck)
        lines.append(f"{count:,} fit nowhere: {reason}")
    if found.lost:
        lines.append(f"lost, since no controller makes them again: {_list(found.lost)}")
    return Answer(
        record={"question": "without", **asdict(found)},
        headline=f"without {_few(found.nodes)}: {len(moved):,} pods move, "
        f"{len(stuck):,} fit nowhere, {len(found.lost):,} are lost, "
        f"{len(found.with_node):,} end with their node",
        table=table if rows else None,
        lines=lines,
        notes=situation.notes,
        code=1 if stuck or found.lost else 0,
    )


def _what(move: leaving.Move) -> str:
    if move.preempted:
        return "has to make room"
    return "" if move.target else "fits nowhere"


# ---- how many nodes


def _need(
    ask: Ask, path: Path, policy: Policy, observed: Observed | None, progress: Progress
) -> Answer:
    priorities = [] if observed is None else observed.objects["PriorityClass"]
    daemons = [] if observed is None else _daemons(observed)
    notes = [] if observed is None else list(observed.notes)
    if path.suffix in {".yaml", ".yml", ".json"}:
        load = read_load(path, priorities)
        notes += load.notes
        template = _template(ask, observed, [])
        question = needing.Question(
            template=template,
            policy=policy,
            seed=ask.seed,
            daemons=[*daemons, *load.daemons],
            observed=observed,
        )
        with progress.meter("trying numbers of nodes", 0) as meter:
            found = needing.need_for_pods(question, load.pods, meter)
    else:
        records = _records(path, notes)
        template = _template(ask, observed, needing.nodes_of(records))
        question = needing.Question(
            template=template, policy=policy, seed=ask.seed, daemons=daemons, observed=observed
        )
        with progress.meter("trying numbers of nodes", 0) as meter:
            found = needing.need_for_trace(question, records, ask.max_pending, meter)
    return _needed(found, template, notes)


def _needed(found: needing.Need, template: Object, notes: list[str]) -> Answer:
    kind = name_of(template) if (template.get("metadata") or {}).get("name") else "the template"
    size = f"{_amounts(found.size)} for pods"
    lines: list[str] = []
    if found.nodes is None:
        headline = f"no number of nodes like {kind} ({size}) is enough"
        lines += [f"fits nowhere: {reason}" for reason in found.unplaced]
    else:
        beside = f" beside the {found.present:,} that are there" if found.present else ""
        nodes = "node is" if found.nodes == 1 else "nodes are"
        headline = (
            f"{found.nodes:,} {nodes} needed for {found.pods:,} pods{beside}, "
            f"each like {kind} ({size})"
        )
    sum_alone = "nodes, were those full" if found.present else "nodes by the sum alone"
    table = Table(["", "requested", "of one node", sum_alone], left=(0,))
    for index, resource in enumerate(RESOURCES):
        if found.requested[index] or found.size[index]:
            table.add(
                resource,
                amount(resource, found.requested[index]),
                amount(resource, found.size[index]),
                f"{found.bounds.get(resource, 0):,}",
            )
    tried = ", ".join(f"{count:,}: {left:,}" for count, left in found.attempts.items())
    lines.append(f"tried (nodes: pods left over): {tried}")
    record = {
        "question": "nodes-needed",
        **asdict(found),
        "size": found.size._asdict(),
        "requested": found.requested._asdict(),
        "attempts": {str(count): left for count, left in found.attempts.items()},
    }
    code = 1 if found.nodes is None else 0
    return Answer(record, headline, table, lines, notes, code)


def _records(path: Path, notes: list[str]) -> list[Record]:
    if is_own(path) is not None:
        return sort_records(read_trace(path))
    from orchestrator.bench.traces.importers.formats import import_trace

    imported = import_trace([path])
    notes.extend(imported.notes)
    return imported.records


def _template(ask: Ask, observed: Observed | None, nodes: list[Object]) -> Object:
    if ask.node_template is not None:
        for node in [] if observed is None else observed.nodes:
            if name_of(node) == ask.node_template:
                return node
        found = list(documents_of(Path(ask.node_template)))
        if len(found) != 1 or found[0]["kind"] != "Node":
            raise UserError(f"{ask.node_template}: one Node is needed as a template")
        return found[0]
    if observed is not None:
        return needing.template_of(observed)
    if nodes:
        return nodes[0]
    raise UserError("what kind of node? name one by --node-template, or give --from-cluster")


def _daemons(observed: Observed) -> list[Object]:
    """Return one pod of each DaemonSet, as it would be made for another node."""
    found: dict[str, Object] = {}
    for pod in observed.running:
        owner = controller_of(pod)
        if is_of_daemonset(pod) and owner is not None:
            found.setdefault(str(owner.get("uid") or owner.get("name")), _anywhere(pod))
    return list(found.values())


def _anywhere(pod: Object) -> Object:
    """Return a DaemonSet's pod without the affinity that names its node."""
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    affinity = dict(spec.get("affinity") or {})
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    node = dict(affinity.get("nodeAffinity") or {})
    terms = (node.get(required) or {}).get("nodeSelectorTerms") or []
    kept = [
        {key: value for key, value in term.items() if key != "matchFields"}
        for term in terms
        if term.get("matchExpressions")
    ]
    node.pop(required, None)
    if kept:
        node[required] = {"nodeSelectorTerms": kept}
    affinity["nodeAffinity"] = node
    return {**pod, "spec": {**spec, "affinity": affinity}}


# ---- words


def _amounts(amounts: Amounts) -> str:
    names = {"cpu": "CPU", "memory": "memory", "gpu": "GPU"}
    return ", ".join(
        f"{amount(resource, value)} {names[resource]}"
        for resource, value in zip(RESOURCES, amounts, strict=True)
        if value
    )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _ROWS:,} more" if len(names) > _ROWS else ""
    return ", ".join(names[:_ROWS]) + more


def _few(names: tuple[str, ...]) -> str:
    if len(names) <= _NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES:,} more nodes"


def _cut(count: int, what: str) -> list[str]:
    return [f"... and {count - _ROWS:,} more {what}; --json has all"] if count > _ROWS else []
