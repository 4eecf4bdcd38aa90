"""Make the table of messages from Go programs that carry the Kubernetes API's types.

    python -m orchestrator.api.protobuf.generate PROGRAM... > messages.txt

A program is a 64-bit ELF file that links k8s.io/api, the newest kubectl for example; kinds of
CustomResourceDefinitions come from one that links apiextensions too. Go keeps every struct with the
tags of its fields for reflection, and the tags of the API's types say all that there is to know:
``json:"name,omitempty" protobuf:"bytes,1,opt,name=name"``. Of several programs the last one named
decides about a field; older ones add what it no longer has. Messages of groups that no version of
the published definitions has are left out.

The present table: kubectl 1.31, 1.33, 1.34 and 1.35, and a client of v1.37 with apiextensions.

The layout of Go's type records is that of ``internal/abi``, which has been stable since Go 1.17.
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestrator.resources.definitions import available_versions, published_definitions

_BOOL, _FLOAT, _MAP, _POINTER, _SLICE, _STRING, _STRUCT = 1, 14, 21, 22, 23, 24, 25
_INTEGERS: Final = range(2, 13)
_UINT8: Final = 8
_SIMPLE: Final = {_BOOL: "t", _FLOAT: "d", _STRING: "s"}
_HEAD: Final = 48
"""Bytes of what all records begin with."""
_EMBEDDED: Final = 8
_NAMED, _EXTRA_STAR = 4, 2
_UNCOMMON: Final = 1
_UNCOMMON_AT: Final = {_STRUCT: 80, _SLICE: 56}
"""Where the package of a named type stands behind its record; other kinds do not matter here."""

_TAG: Final = re.compile(r'(\w+):"([^"]*)"')
_PACKAGE: Final = re.compile(
    r"k8s\.io/(?:api/|apimachinery/pkg/(?:apis/|api/|util/)?"
    r"|apiextensions-apiserver/pkg/apis/|kube-aggregator/pkg/apis/)([\w/]+)$"
)

_AGGREGATOR: Final = """\
apiregistration.v1.APIService 1=metadata:!meta.v1.ObjectMeta 2=spec:!.APIServiceSpec \
3=status:!.APIServiceStatus
apiregistration.v1.APIServiceCondition 1=type:!s 2=status:!s 3=lastTransitionTime:!meta.v1.Time \
4=reason:s 5=message:s
apiregistration.v1.APIServiceList 1=metadata:!meta.v1.ListMeta 2=items:[.APIService
apiregistration.v1.APIServiceSpec 1=service:?.ServiceReference 2=group:s 3=version:s \
4=insecureSkipTLSVerify:t 5=caBundle:b 7=groupPriorityMinimum:!i 8=versionPriority:!i
apiregistration.v1.APIServiceStatus 1=conditions:[.APIServiceCondition
apiregistration.v1.ServiceReference 1=namespace:s 2=name:s 3=port:?i
"""
"""kube-aggregator's few messages: hardly a client links them."""

_HEADER: Final = """\
# Field numbers and types of the Kubernetes API's protobuf messages, facts of the published types.
# Made by orchestrator/api/protobuf/generate.py, which tells how; do not edit.
# One message a line: NAME NUMBER=FIELD:TYPE ...
# TYPE: s string, b bytes, i integer, t boolean, d double, else a message: ".X" in the same package,
# "X*" one that stands for a list of strings.
# Before it: "?" a pointer, absent unless set, zero being a value; "[" a list; "{" a map from
# strings; "^" its fields stand in the parent's JSON; "!" in JSON even if it is zero.
"""


class _Field(NamedTuple):
    name: str
    tags: dict[str, str]
    embedded: bool
    type: int


class _Program:
    """The type records of one Go program."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[:5] != b"\x7fELF\x02":
            raise ValueError(f"{path} is not a 64-bit ELF program")
        (table,) = struct.unpack_from("<Q", data, 0x28)
        count, names = struct.unpack_from("<HH", data, 0x3C)
        sections = [struct.unpack_from("<IIQQQQ", data, table + 64 * i) for i in range(count)]
        self._sections = {}
        for name, _, _, address, offset, size in sections:
            start = sections[names][4] + name
            text = data[start : data.find(b"\0", start)].decode()
            self._sections[text] = (address, offset, size)
        if ".typelink" not in self._sections:
            raise ValueError(f"{path} is not a Go program")
        self._types = self._sections[".rodata"][0]

    def _at(self, address: int) -> int:
        for start, offset, size in self._sections.values():
            if start and start <= address < start + size:
                return int(address - start + offset)
        raise ValueError(f"no data at {address:#x}")

    def _read(self, form: str, address: int) -> tuple[Any, ...]:
        return struct.unpack_from(form, self._data, self._at(address))

    def _texts(self, address: int) -> tuple[str, str]:
        """Read a name and the tag that may follow it."""
        at = self._at(address)
        flags = self._data[at]
        texts = ["", ""]
        at += 1
        for index in range(2 if flags & 2 else 1):
            length = shift = 0
            while True:
                byte = self._data[at]
                at += 1
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            texts[index] = self._data[at : at + length].decode()
            at += length
        return texts[0], texts[1]

    def describe(self, address: int) -> tuple[int, str, str]:
        """Return a type's kind, its package (empty when it has no name) and its name."""
        record = self._read("<QQIBBBBQQii", address)
        flags, kind, name = record[3], record[6] & 31, self._texts(self._types + record[9])[0]
        if flags & _EXTRA_STAR:
            name = name[1:]
        package = ""
        if flags & _NAMED and flags & _UNCOMMON and kind in _UNCOMMON_AT:
            (place,) = self._read("<i", address + _UNCOMMON_AT[kind])
            package = self._texts(self._types + place)[0] if place else ""
        return kind, package, name.rpartition(".")[2]

    def element(self, address: int, position: int = 0) -> int:
        """Return what a pointer, a list or (1) a map's value is of."""
        (found,) = self._read("<Q", address + _HEAD + 8 * position)
        return int(found)

    def fields(self, address: int) -> Iterator[_Field]:
        """Yield a struct's fields."""
        first, count = self._read("<QQ", address + 56)
        for index in range(count):
            name, type_, _ = self._read("<QQQ", first + 24 * index)
            text, tag = self._texts(name)
            embedded = bool(self._data[self._at(name)] & _EMBEDDED)
            yield _Field(text, dict(_TAG.findall(tag)), embedded, type_)

    def structs(self) -> Iterator[tuple[str, str, int]]:
        """Yield package, name and address of every struct that something points to."""
        address, _, size = self._sections[".typelink"]
        for offset in self._read(f"<{size // 4}i", address):
            if self.describe(self._types + offset)[0] == _POINTER:
                target = self.element(self._types + offset)
                kind, package, name = self.describe(target)
                if kind == _STRUCT and package:
                    yield package, name, target


def _package(path: str) -> str:
    found = _PACKAGE.match(path)
    return found[1].replace("/", ".") if found else ""


def _type(program: _Program, address: int, package: str, *, rep: bool = False) -> str:
    """Write a field's type with its prefix; ``rep`` if the tag says that it is repeated."""
    kind, path, name = program.describe(address)
    if kind == _POINTER:
        return "?" + _type(program, program.element(address), package)
    if kind == _SLICE:
        item = program.element(address)
        if program.describe(item)[0] == _UINT8:
            return "b"
        if path and not rep:  # a named one is a message of its own
            return f".{name}*" if _package(path) == package else f"{_package(path)}.{name}*"
        return "[" + _type(program, item, package).removeprefix("?")
    if kind == _MAP:
        value = _type(program, program.element(address, 1), package)
        return "{" + value.removeprefix("?")
    if kind == _STRUCT:
        own = _package(path)
        return f".{name}" if own == package else f"{own}.{name}"
    return "i" if kind in _INTEGERS else _SIMPLE[kind]


def _cells(program: _Program, package: str, address: int) -> dict[int, str]:
    """Write a struct's fields, by number; nothing for one that is no message."""
    cells = {}
    for field in program.fields(address):
        form = field.tags.get("protobuf", "").split(",")
        if len(form) < 3:  # wire type, number, label
            continue
        json, *options = field.tags.get("json", "").split(",")
        type_ = _type(program, field.type, package, rep=form[2] == "rep")
        if field.embedded and not json:
            type_ = "^" + type_
        elif type_[0] not in "?[{" and not type_.endswith("*") and "omitzero" not in options:
            # "omitempty" leaves out no struct.
            type_ = type_ if type_ in "sbitd" and "omitempty" in options else f"!{type_}"
        if json in ("", "-"):  # inline, or of a type that writes its JSON itself
            json = field.name[:1].lower() + field.name[1:]
        cells[int(form[1])] = f"{form[1]}={json}:{type_}"
    return cells


def _published() -> set[str]:
    """Return the packages that some version's definitions are of."""
    packages = {"meta.v1", "meta.v1beta1", "runtime", "resource", "intstr", "autoscaling.v1"}
    for version in available_versions():
        for name in published_definitions(version):
            head, _, _ = name.rpartition(".")
            packages.add(".".join(head.split(".")[-2:]))
    return packages


def collect(programs: Iterable[Path]) -> dict[str, dict[int, str]]:
    """Read the messages of programs: by name, the fields' cells of the table by number.

    Raises:
        ValueError: A file that is no such program.
    """
    wanted = _published()
    found: dict[str, dict[int, str]] = {}
    for path in programs:
        program = _Program(path)
        for source, name, address in program.structs():
            package = _package(source)
            if package in wanted and name[0].isupper():
                fields = _cells(program, package, address)
                if fields or not any(program.fields(address)):
                    found.setdefault(f"{package}.{name}", {}).update(fields)
    return found


def main(paths: list[str]) -> None:
    """Print the table."""
    found: dict[str, dict[int, str]] = {}
    for line in _AGGREGATOR.splitlines():
        name, *cells = line.split()
        found[name] = {int(cell.partition("=")[0]): cell for cell in cells}
    found |= collect(map(Path, paths))
    sys.stdout.write(_HEADER)
    for name, fields in sorted(found.items()):
        sys.stdout.write(" ".join([name, *(cell for _, cell in sorted(fields.items()))]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
