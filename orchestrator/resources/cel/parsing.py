"""Tokens to a tree: recursive descent over the CEL grammar, macros included."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from orchestrator.resources.cel.errors import CompileError, Issue
from orchestrator.resources.cel.lexing import Token, number, tokens
from orchestrator.resources.cel.macros import MACROS
from orchestrator.resources.cel.nodes import (
    Call,
    Entry,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    Struct,
)
from orchestrator.resources.cel.words import RESERVED

RECURSION_LIMIT = 250
"""Levels of nesting, cel-go's default."""
SIZE_LIMIT = 100_000
"""Code points, cel-go's default."""
_STARTERS = (
    *("[", "{", "(", ".", "-", "!", "true", "false", "null"),
    *("NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER"),
)
"""What an expression may begin with, in the order in which ANTLR lists it."""
_FOLLOWERS = frozenset(
    {"<EOF>", ".", ",", ")", "]", "}", ":", "?", "[", "+", "-", "*", "/", "%", "&&", "||"}
    | {"<", "<=", ">=", ">", "==", "!=", "in"}
)
"""What may follow a parenthesis or a bracket that closes."""
_RELATIONS = frozenset({"<", "<=", ">=", ">", "==", "!=", "in"})
_NUMBERS = frozenset({"NUM_INT", "NUM_UINT", "NUM_FLOAT"})
_CONSTANTS = {"true": True, "false": False, "null": None}


class _Stop(Exception):  # noqa: N818 - ends parsing, says nothing itself
    """Ends parsing at the first syntax error; what follows one would be noise."""


def parse(source: str) -> Node:
    """Return the tree of an expression.

    Raises:
        CompileError: Syntax errors.
    """
    if len(source) > SIZE_LIMIT:
        message = (
            f"expression code point size exceeds limit: size: {len(source)}, limit {SIZE_LIMIT}"
        )
        raise CompileError("", [Issue(0, message)])
    found, issues = tokens(source)
    parser = _Parser(found, issues)
    try:
        node = parser.whole()
    except _Stop:
        node = None
    if parser.issues or node is None:
        raise CompileError(source, sorted(parser.issues))
    return node


class _Parser:
    def __init__(self, found: list[Token], issues: list[Issue]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0
        self.issues = issues

    def whole(self) -> Node:
        node = self._expression()
        token = self._token
        if token.kind != "<EOF>":
            last = self._tokens[self._at + 1].kind == "<EOF>"
            self._syntax(token, f"{'extraneous' if last else 'mismatched'} input", "<EOF>")
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    @property
    def _following(self) -> str:
        """The kind of the token after this one."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)].kind

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, kind: str) -> Token | None:
        return self._take() if self._tokens[self._at].kind == kind else None

    def _expect(self, kind: str) -> Token:
        token = self._token
        if token.kind == kind:
            return self._take()
        # ANTLR tells apart a token too many, one too few, and a wrong one.
        closes = kind in {")", "]"} and token.kind in _FOLLOWERS
        fits = closes or (kind == ":" and token.kind in _STARTERS)
        if fits and self._following != kind:
            missing = f"Syntax error: missing {_listed(kind)} at '{token.text}'"
            self._report(token.position, missing)
            raise _Stop
        return self._wrong(token, kind)

    def _close(self, kind: str, *, after_comma: bool) -> None:
        """Take what ends a list, a map or a message."""
        token = self._token
        if token.kind == kind:
            self._take()
            return
        wanted = (kind,) if after_comma else (kind, ",")
        self._wrong(token, *wanted)

    def _wrong(self, token: Token, *wanted: str) -> NoReturn:
        excess = token.kind != "<EOF>" and self._following in wanted
        self._syntax(token, f"{'extraneous' if excess else 'mismatched'} input", _listed(*wanted))

    def _start(self, *more: str) -> None:
        """Refuse what no expression begins with; ``more`` may stand here as well."""
        token = self._token
        if token.kind in _STARTERS or token.kind in more:
            return
        at = _STARTERS.index("." if ")" in more else "true")
        self._wrong(token, *_STARTERS[:at], *more, *_STARTERS[at:])

    def _syntax(self, token: Token, what: str, expected: str) -> NoReturn:
        message = f"Syntax error: {what} '{token.text}' expecting {expected}"
        self.issues.append(Issue(token.position, message))
        raise _Stop

    def _report(self, position: int, message: str) -> None:
        self.issues.append(Issue(position, message))

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > RECURSION_LIMIT:
            self._report(0, f"expression recursion limit exceeded: {RECURSION_LIMIT}")
            raise _Stop
        node = self._or()
        question = self._accept("?")
        if question:
            then = self._or()
            self._expect(":")
            otherwise = self._expression()
            node = Call(question.position, "_?_:_", None, (node, then, otherwise))
        self._depth -= 1
        return node

    def _or(self) -> Node:
        return self._balanced("||", "_||_", self._and)

    def _and(self) -> Node:
        return self._balanced("&&", "_&&_", self._relation)

    def _balanced(self, symbol: str, function: str, operand: Callable[[], Node]) -> Node:
        """Join a long chain as a tree of even depth, as cel-go does, so that it does not nest."""
        terms = [operand()]
        operators: list[int] = []
        while token := self._accept(symbol):
            operators.append(token.position)
            terms.append(operand())
        return _joined(function, terms, operators, 0, len(operators) - 1)

    def _relation(self) -> Node:
        node = self._sum()
        while self._token.kind in _RELATIONS:
            token = self._take()
            right = self._sum()
            function = "@in" if token.kind == "in" else f"_{token.kind}_"
            node = Call(token.position, function, None, (node, right))
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self._token.kind in {"+", "-"}:
            token = self._take()
            node = Call(token.position, f"_{token.kind}_", None, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._unary()
        while self._token.kind in {"*", "/", "%"}:
            token = self._take()
            node = Call(token.position, f"_{token.kind}_", None, (node, self._unary()))
        return node

    def _unary(self) -> Node:
        token = self._token
        if token.kind == "!":
            return self._repeated("!", "!_")
        if token.kind == "-":
            following = self._tokens[self._at + 1]
            if following.kind not in _NUMBERS or following.kind == "NUM_UINT":
                return self._repeated("-", "-_")
        return self._member()

    def _repeated(self, symbol: str, function: str) -> Node:
        first = self._take()
        count = 1
        while self._token.kind == symbol:
            following = self._tokens[self._at + 1]
            if symbol == "-" and following.kind in _NUMBERS:
                break
            self._take()
            count += 1
        operand = self._member()
        return Call(first.position, function, None, (operand,)) if count % 2 else operand

    def _member(self) -> Node:
        node = self._primary()
        levels = self._depth
        while True:
            token = self._token
            if token.kind == ".":
                node = self._dotted(node)
            elif token.kind == "[":
                self._take()
                self._start("?")
                optional = self._accept("?") is not None
                index = self._expression()
                self._expect("]")
                node = Call(token.position, "_[?_]" if optional else "_[_]", None, (node, index))
            else:
                self._depth = levels
                return node
            self._depth += 1
            if self._depth > 2 * RECURSION_LIMIT:
                self._report(0, f"expression recursion limit exceeded: {RECURSION_LIMIT}")
                raise _Stop

    def _dotted(self, node: Node) -> Node:
        dot = self._take()
        optional = self._accept("?") is not None
        name = self._token
        if name.kind not in {"IDENTIFIER", "ESC_IDENTIFIER"}:
            if optional:
                self._syntax(name, "mismatched input", "{IDENTIFIER, ESC_IDENTIFIER}")
            seen = "" if name.kind == "<EOF>" else name.text
            message = f"Syntax error: no viable alternative at input '.{seen}'"
            self._report(name.position, message)
            raise _Stop
        self._take()
        opening = self._token
        if opening.kind != "(" or optional or name.kind == "ESC_IDENTIFIER":
            return Select(dot.position, node, str(name.value), optional=optional)
        self._take()
        arguments = self._arguments(")")
        expand = MACROS.get((name.text, len(arguments), True))
        if expand is not None:
            expanded = expand(opening.position, node, arguments, self._report)
            if expanded is not None:
                return expanded
        return Call(opening.position, name.text, node, arguments)

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        if self._accept(closing):
            return ()
        self._start(closing)
        found = [self._expression()]
        while self._accept(","):
            found.append(self._expression())
        self._expect(closing)
        return tuple(found)

    def _primary(self) -> Node:
        self._start()
        token = self._take()
        kind = token.kind
        if kind in {"IDENTIFIER", "."}:
            return self._named(token)
        if kind in _NUMBERS:
            return self._number(token, token, negative=False)
        if kind == "-" and self._token.kind in {"NUM_INT", "NUM_FLOAT"}:
            return self._number(token, self._take(), negative=True)
        if kind in {"STRING", "BYTES"}:
            return Literal(token.position, token.value)
        if kind in _CONSTANTS:
            return Literal(token.position, _CONSTANTS[kind])
        if kind == "(":
            node = self._expression()
            self._expect(")")
            return node
        if kind == "[":
            return self._list(token)
        if kind == "{":
            return self._map(token)
        self._at -= 1
        return self._wrong(token, *_STARTERS)

    def _number(self, first: Token, token: Token, *, negative: bool) -> Node:
        value = number(token, negative=negative)
        if value is None:
            name = {"NUM_INT": "int", "NUM_UINT": "uint"}[token.kind]
            self._report(first.position, f"invalid {name} literal")
            value = 0
        return Literal(first.position, value)

    def _named(self, token: Token) -> Node:
        lead = token.kind == "."
        name = self._expect("IDENTIFIER") if lead else token
        if self._names_message():
            return self._message(token, name, lead)
        if name.text in RESERVED:
            self._report(name.position, f"reserved identifier: {name.text}")
        text = f".{name.text}" if lead else name.text
        opening = self._accept("(")
        if opening is None:
            return Ident(token.position, text)
        arguments = self._arguments(")")
        expand = MACROS.get((text, len(arguments), False))
        if expand is not None:
            expanded = expand(opening.position, None, arguments, self._report)
            if expanded is not None:
                return expanded
        return Call(opening.position, text, None, arguments)

    def _names_message(self) -> bool:
        at = self._at
        while self._tokens[at].kind == "." and self._tokens[at + 1].kind == "IDENTIFIER":
            at += 2
        return self._tokens[at].kind == "{"

    def _message(self, token: Token, name: Token, lead: bool) -> Node:
        parts = [name.text]
        while self._accept("."):
            parts.append(self._take().text)
        opening = self._expect("{")
        entries: list[Entry] = []
        while not self._accept("}"):
            optional = self._accept("?") is not None
            field = self._token
            if field.kind not in {"IDENTIFIER", "ESC_IDENTIFIER"}:
                self._wrong(field, "}", ",", "?", "IDENTIFIER", "ESC_IDENTIFIER")
            self._take()
            colon = self._expect(":")
            value = self._expression()
            entries.append(Entry(colon.position, str(field.value), value, optional))
            if not self._accept(","):
                self._close("}", after_comma=False)
                break
        del token, lead  # a leading dot says what is true anyway: there is no container
        return Struct(opening.position, ".".join(parts), tuple(entries))

    def _list(self, opening: Token) -> Node:
        elements: list[Node] = []
        optional: set[int] = set()
        while not self._accept("]"):
            if elements and self._token.kind not in {*_STARTERS, "?"}:
                self._close("]", after_comma=True)
            if self._accept("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._accept(","):
                self._close("]", after_comma=False)
                break
        return ListNode(opening.position, tuple(elements), frozenset(optional))

    def _map(self, opening: Token) -> Node:
        entries: list[Entry] = []
        while not self._accept("}"):
            optional = self._accept("?") is not None
            key = self._expression()
            colon = self._expect(":")
            entries.append(Entry(colon.position, key, self._expression(), optional))
            if not self._accept(","):
                self._close("}", after_comma=False)
                break
        return MapNode(opening.position, tuple(entries))


def _listed(*kinds: str) -> str:
    """Return token kinds as ANTLR writes them: symbols and words quoted, classes bare."""
    shown = [kind if kind.isupper() or kind == "<EOF>" else f"'{kind}'" for kind in kinds]
    return shown[0] if len(shown) == 1 else f"{{{', '.join(shown)}}}"


def _joined(function: str, terms: list[Node], operators: list[int], low: int, high: int) -> Node:
    if low > high:
        return terms[low]
    middle = (low + high + 1) // 2
    left = _joined(function, terms, operators, low, middle - 1)
    right = _joined(function, terms, operators, middle + 1, high)
    return Call(operators[middle], function, None, (left, right))
