"""Whatever text comes from outside: it is refused or evaluated, quickly, and breaks nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.cel.definitions import check_rules
from orchestrator.resources.cel.environments import Environment, Program
from orchestrator.resources.cel.errors import BudgetExceeded, CompileError, EvaluationError
from orchestrator.resources.cel.estimating import MOST, estimate
from orchestrator.resources.cel.functions.authorizing import Attempt, Authorizer, Decision
from orchestrator.resources.cel.types import DYN, INT, STRING, list_of, opaque
from orchestrator.resources.cel.values import to_json

ENVIRONMENT = Environment(
    {
        "self": DYN,
        "n": INT,
        "s": STRING,
        "l": list_of(STRING),
        "authorizer": opaque(Authorizer.type_name),
    }
)
VALUES = {
    "self": {"a": [1, "x", None, {"b": 1.5}], "t": "2024-01-01T00:00:00Z"},
    "n": 3,
    "s": "text (a+)+ %s \U0001f600",
    "l": ["a", "b"],
    "authorizer": Authorizer(lambda _attempt, /: Decision(False), Attempt(user=None)),
}
NAMES = [
    *("self", "n", "s", "l", "authorizer", "a", "x", "int", "string", "type", "optional", "sets"),
    *("true", "false", "null", "in", "format", "ip", "1", "-1", "0", "2u", "1.5", "1e400", "0x1F"),
    *("'a'", "''", "b'\\xff'", "r'\\d'", "'(a+)+$'", "'%s%d'", "9223372036854775807", "'2h'"),
    *("'1.2.3'", "'10.0.0.0/8'", "'10Gi'", "'a/b'"),
]
CALLS = [
    *("all", "exists", "map", "filter", "has", "size", "matches", "find", "findAll", "format"),
    *("join", "split", "replace", "substring", "charAt", "indexOf", "sum", "max", "isSorted"),
    *("duration", "timestamp", "getHours", "int", "uint", "double", "string", "bytes", "type"),
    *("quantity", "semver", "ip", "cidr", "url", "isIP", "containsIP", "dyn", "orValue", "or"),
    *("optMap", "transformMap", "transformList", "slice", "flatten", "group", "path", "check"),
    *("resource", "validate", "getQuery", "compareTo", "value", "lowerAscii", "trim", "quote"),
]
MARKS = [*"()[]{}.,?:+-*/%<>!", "&&", "||", "==", "!=", "<=", ">=", " ", ".?", "[?"]
SOUP = st.lists(
    st.sampled_from(NAMES)
    | st.sampled_from(MARKS)
    | st.sampled_from(CALLS).map(lambda name: f".{name}(")
    | st.sampled_from(CALLS).map(lambda name: f"{name}("),
    max_size=25,
).map("".join)
ATOMS = st.sampled_from(NAMES)
TREES = st.recursive(
    ATOMS,
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(CALLS), st.lists(below, max_size=3)).map(
            lambda parts: f"{parts[0]}.{parts[1]}({', '.join(parts[2])})"
        ),
        st.tuples(st.sampled_from(CALLS), st.lists(below, max_size=2)).map(
            lambda parts: f"{parts[0]}({', '.join(parts[1])})"
        ),
        st.tuples(below, st.sampled_from(["+", "==", "<", "&&", "||", "in", "%"]), below).map(
            lambda parts: "({} {} {})".format(*parts)
        ),
        st.tuples(below, st.sampled_from(["all", "map", "filter", "exists_one"]), below).map(
            lambda parts: "{}.{}(x, {})".format(*parts)
        ),
        st.tuples(below, below).map(lambda parts: "dyn({})[{}]".format(*parts)),
        st.lists(below, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(below, below).map(lambda parts: "{{{}: {}}}".format(*parts)),
        st.tuples(below, below, below).map(lambda parts: "({} ? {} : {})".format(*parts)),
    ),
    max_leaves=12,
)


def refused(call: Callable[[], object]) -> Exception | None:
    """Return the refusal that a call ends with, or None."""
    try:
        call()
    except (CompileError, EvaluationError) as error:
        return error
    return None


def survive(source: str) -> None:
    """Compile, estimate and evaluate; only the known refusals may come of it."""
    compiled: list[Program] = []
    error = refused(lambda: compiled.append(ENVIRONMENT.compile(source)))
    assert error is None or str(error).startswith("ERROR: <input>:")
    for program in compiled:
        least, most = estimate(program.checked)
        assert 0 <= least <= most <= MOST
        failure = refused(lambda: to_json(compiled[0].evaluate(VALUES, 20_000)))
        assert failure is None or failure.__cause__ is None, "an exception of Python's got through"


@settings(max_examples=400, deadline=None)
@given(SOUP | st.text(max_size=40))
def test_any_text_is_refused_or_evaluated(source: str) -> None:
    """Token soup and arbitrary characters alike."""
    survive(source)


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_any_well_formed_expression_is_refused_or_evaluated(source: str) -> None:
    """Every function meets every type."""
    survive(source)


@settings(max_examples=200, deadline=None)
@given(SOUP | TREES)
def test_any_rule_in_a_definition_is_judged(source: str) -> None:
    """Checking a definition never fails itself."""
    schema = {
        "type": "object",
        "x-kubernetes-validations": [{"rule": source, "messageExpression": source}],
    }
    for problem in check_rules(schema, "spec"):
        assert problem.field.startswith("spec")


@pytest.mark.parametrize(
    "source",
    [
        "(" * 5_000,
        "[" * 5_000 + "]" * 5_000,
        "-" * 10_000 + "1",
        "!" * 10_000 + "true",
        "1" + "+1" * 20_000,
        "true" + "&&true" * 15_000,
        "self" + ".a" * 20_000,
        "self" + "[0]" * 20_000,
        "true ? " * 5_000 + "1" + " : 1" * 5_000,
        "{" * 3_000,
        "'" + "x" * 99_000 + "'",
        "9" * 90_000,
        "`a`" * 1_000,
        "!-",
        "-",
        "!-'a'",
    ],
)
def test_long_and_deep_expressions_are_refused_or_evaluated(source: str) -> None:
    """Neither the stack nor the clock gives way."""
    started = time.monotonic()
    survive(source)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "source",
    [
        "s.replace('', s).replace('', s).replace('', s).replace('', s).replace('', s)",
        "[s,s,s,s,s,s,s,s].map(a, [s,s,s,s,s,s,s,s].map(b, [s,s,s,s,s,s].map(c, a+b+c)))",
        "[0].map(a, [[[[1,2,3,4],[1,2]]]]).flatten().flatten().flatten().sum()",
        "'%.999f'.format([1.0])",
        "'1e1000000'.split('')",
        "quantity('1e1000000').isInteger()",
        "timestamp(253402300799) + duration('9223372036s')",
        "int('9'.replace('9', '99999999999999999999999999999'))",
        "s.matches('(((((a{1,1000}){1,1000}){1,1000})))')",
    ],
)
def test_greedy_expressions_end(source: str) -> None:
    """In a value, an error or a spent budget, within a second."""
    started = time.monotonic()
    try:
        program = ENVIRONMENT.compile(source)
        program.evaluate(VALUES)
    except (CompileError, EvaluationError, BudgetExceeded):
        pass
    assert time.monotonic() - started < 1
