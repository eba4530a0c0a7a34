"""The conformance statement, as the tests that walk it read it: tables by heading and columns."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.architecture.repository import ROOT

STATEMENT = "conformance.md"
UIDS = "conformance-uids.md"

_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Table:
    """A table under a heading; each row has as many cells as there are columns."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """The cells of a column, from the top."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]


def table(heading: str, column: str, *, document: str = STATEMENT) -> Table:
    """The one table below a heading, before the next, whose first column begins so."""
    found = [
        one
        for one in tables(document)
        if one.heading == heading and one.columns[0].startswith(column)
    ]
    assert len(found) == 1, f"{len(found)} tables of {column!r} below {heading!r} in {document}"
    return found[0]


@cache
def tables(document: str = STATEMENT) -> tuple[Table, ...]:
    """Every table of a document."""
    return tuple(_tables((ROOT / "docs" / document).read_text()))


def fenced(language: str) -> str:
    """The one block of the statement that is set in this language."""
    text = (ROOT / "docs" / STATEMENT).read_text()
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


def words(cell: str) -> list[str]:
    """What a cell sets as code."""
    return _CODE.findall(cell)


def codes(cells: list[str]) -> set[str]:
    """The codes of cells, of which one may name several: `0120, 0121`."""
    return {code for cell in cells for code in cell.split(", ")}


def enumerated(module: str, enum: str, *, within: str | None = None) -> set[str]:
    """Members of an enumeration that a module names.

    Args:
        module: its path from the root of the repository.
        enum: the name of the enumeration there.
        within: a function, a class or an assigned name at the top of the module; None for all.
    """
    tree = ast.parse((ROOT / module).read_text())
    nodes: list[ast.AST] = [tree] if within is None else [_named(tree, within)]
    return {
        node.attr
        for top in nodes
        for node in ast.walk(top)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == enum
    }


def _named(tree: ast.Module, name: str) -> ast.stmt:
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name == name:
                return node
            case ast.AnnAssign(target=ast.Name(id=found)) if found == name:
                return node
    raise AssertionError(f"nothing is called {name} there")


def _tables(text: str) -> Iterator[Table]:
    heading, block = "", list[str]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
            continue
        if block:
            columns, _rule, *rows = map(_cells, block)
            assert all(len(row) == len(columns) for row in rows), f"a crooked table: {heading}"
            yield Table(heading, columns, tuple(rows))
            block = []
        if line.startswith("#"):
            heading = line.lstrip("#").strip()


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
