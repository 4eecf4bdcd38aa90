"""The same expressions by Google's own runtime: values and refusals have to agree."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.cel.environments import Environment
from orchestrator.resources.cel.errors import CompileError, EvaluationError
from orchestrator.resources.cel.times import Duration, Timestamp
from orchestrator.resources.cel.types import BOOL, DOUBLE, INT, STRING, list_of, map_of

OURS = Environment(
    {
        "i": INT,
        "s": STRING,
        "b": BOOL,
        "f": DOUBLE,
        "l": list_of(INT),
        "m": map_of(STRING, INT),
    }
)
THEIRS = cel.NewEnv(
    variables={
        "i": cel.Type.INT,
        "s": cel.Type.STRING,
        "b": cel.Type.BOOL,
        "f": cel.Type.DOUBLE,
        "l": cel.Type.List(cel.Type.INT),
        "m": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
    },
    extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
)
VALUES = {"i": 7, "s": "a.b.c", "b": True, "f": 1.5, "l": [3, 1, 2], "m": {"x": 1, "y": 2}}
FAILED = "failed"
Source = st.SearchStrategy[str]

_INTEGERS = st.sampled_from(
    ["0", "1", "-1", "7", "9223372036854775807", "-9223372036854775808", "i", "size(s)", "m.x"]
)
_STRINGS = st.sampled_from(["''", "'a'", "'\u00e9\U0001f600'", "s", "'.'", "'B'", '"it\'s"'])
_BOOLEANS = st.sampled_from(["true", "false", "b"])
_DOUBLES = st.sampled_from(["0.0", "1.0", "-2.5", "f", "1e10"])
_LISTS = st.sampled_from(["l", "[]", "[1]", "[i, 2, 3]"])


def _grown(depth: int) -> dict[str, Source]:
    """Return expressions of each type, nested so deep at most."""
    if not depth:
        return {"i": _INTEGERS, "s": _STRINGS, "b": _BOOLEANS, "f": _DOUBLES, "l": _LISTS}
    below = _grown(depth - 1)

    def form(template: str, *types: str) -> Source:
        return st.tuples(*(below[one] for one in types)).map(lambda parts: template.format(*parts))

    def forms(*all_: tuple[str, ...]) -> Source:
        return st.one_of(*(form(template, *types) for template, *types in all_))

    def compared(types: str) -> Source:
        operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
        return st.one_of(
            *(
                st.tuples(below[one], operators, below[one]).map(
                    lambda parts: "({} {} {})".format(*parts)
                )
                for one in types
            )
        )

    arithmetic = st.tuples(below["i"], st.sampled_from("+-*/%"), below["i"])
    floating = st.tuples(below["f"], st.sampled_from("+-*/"), below["f"])
    return {
        "i": below["i"]
        | arithmetic.map(lambda parts: "({} {} {})".format(*parts))
        | forms(
            ("(-({}))", "i"),
            ("({} ? {} : {})", "b", "i", "i"),
            ("size({})", "s"),
            ("{}.size()", "l"),
            ("{}[{}]", "l", "i"),
            ("m[{}]", "s"),
            ("int({})", "f"),
            ("int({})", "s"),
            ("{}.indexOf({})", "s", "s"),
            ("{}.lastIndexOf({})", "s", "s"),
        ),
        "s": below["s"]
        | forms(
            ("({} + {})", "s", "s"),
            ("({} ? {} : {})", "b", "s", "s"),
            ("string({})", "i"),
            ("string({})", "b"),
            ("{}.charAt({})", "s", "i"),
            ("{}.substring({})", "s", "i"),
            ("{}.replace({}, {})", "s", "s", "s"),
            ("{}.lowerAscii()", "s"),
            ("{}.upperAscii()", "s"),
            ("{}.trim()", "s"),
            ("{}.split({}).join('|')", "s", "s"),
        ),
        "b": below["b"]
        | compared("isbf")
        | forms(
            ("({} && {})", "b", "b"),
            ("({} || {})", "b", "b"),
            ("!{}", "b"),
            ("({} in {})", "i", "l"),
            ("({} in m)", "s"),
            ("{}.all(x, x > {})", "l", "i"),
            ("{}.exists(x, {} / x == 1)", "l", "i"),
            ("{}.exists_one(x, x == {})", "l", "i"),
            ("{}.startsWith({})", "s", "s"),
            ("{}.contains({})", "s", "s"),
            ("({} == {})", "l", "l"),
            ("optional.of({}).hasValue()", "i"),
            ("has(m.z)",),
            ("type({}) == int", "i"),
        ),
        "f": below["f"]
        | floating.map(lambda parts: "({} {} {})".format(*parts))
        | forms(("double({})", "i"), ("(-({}))", "f")),
        "l": below["l"]
        | forms(
            ("({} + {})", "l", "l"),
            ("{}.map(x, x * {})", "l", "i"),
            ("{}.filter(x, x > {})", "l", "i"),
            ("{}.map(x, x != {}, x - 1)", "l", "i"),
            ("[{}, {}]", "i", "i"),
        ),
    }


def ours(source: str) -> Any:
    """Evaluate with this implementation."""
    try:
        return _plain(OURS.compile(source).evaluate(VALUES))
    except (CompileError, EvaluationError):
        return FAILED


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Duration):
        return dt.timedelta(microseconds=value.nanoseconds // 1000)
    return value.at(None) if isinstance(value, Timestamp) else value


def theirs(source: str) -> Any:
    """Evaluate with the reference."""
    try:
        value = THEIRS.compile(source).eval(data=VALUES)
    except (RuntimeError, ValueError):
        return FAILED
    return FAILED if value.type().name() == "ERROR" else value.plain_value()


_DEEP = _grown(3)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from("isbl").flatmap(lambda kind: _DEEP[kind]))
def test_values_agree_with_the_reference(source: str) -> None:
    """What has a value there has the same here, and what has none has none."""
    found, wanted = ours(source), theirs(source)
    assert (found, type(found)) == (wanted, type(wanted)), source
