"""The habilitation matrix: which profession reads and writes which category of documents.

It is a table that people can edit: its form is described at the head of the one that is shipped.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from indexer.contract.access import Caller, CallerKind
from indexer.contract.document import Code, DocumentEntry
from indexer.wire.proof.vocabulary import PROFESSIONS

PROGRAM: Final = "AUTOMATE"
HOLDER: Final = "patient"
ANY: Final = "*"
FILE_BYTES_MAX: Final = 256 * 1024

_HEAD: Final = ("category", "types", "classes")
_CELLS: Final = frozenset({"", "r", "w", "rw"})
_SHIPPED: Final = "habilitations.csv"


class MatrixRefused(ValueError):
    """The table cannot be used; the message says at which line, and what to do."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The rows of the table, by the codes that lead to them."""

    by_type: Mapping[str, Mapping[str, str]]
    by_class: Mapping[str, Mapping[str, str]]
    rest: Mapping[str, str]

    def reads(self, caller: Caller, document: DocumentEntry) -> bool:
        return "r" in self._cell(caller, document)

    def writes(self, caller: Caller, document: DocumentEntry) -> bool:
        return "w" in self._cell(caller, document)

    def _cell(self, caller: Caller, document: DocumentEntry) -> str:
        by_class = self.by_class.get(document.class_code.code, self.rest)
        row = self.by_type.get(document.type_code.code, by_class)
        return row.get(_column(caller), row[ANY])


def _column(caller: Caller) -> str:
    if caller.kind in (CallerKind.PATIENT, CallerKind.REPRESENTATIVE):
        return HOLDER
    if caller.kind is CallerKind.SYSTEM:
        return PROGRAM
    return _profession(caller.role)


def _profession(role: Code | None) -> str:
    return role.code if role is not None and role.scheme == PROFESSIONS else ANY


def load_matrix(file: Path | None) -> Matrix:
    """The matrix of a file, or, without one, the default that is shipped.

    Raises:
        MatrixRefused: the file cannot be read, or is no such table.
    """
    if file is None:
        return read_matrix(resources.files(__package__).joinpath(_SHIPPED).read_bytes())
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise MatrixRefused(f"cannot read {file}: {error.strerror}") from error
    return read_matrix(data)


def read_matrix(data: bytes) -> Matrix:
    """The matrix that a table holds.

    Raises:
        MatrixRefused: it is no such table.
    """
    if len(data) > FILE_BYTES_MAX:
        raise MatrixRefused(f"the table is larger than {FILE_BYTES_MAX} bytes")
    try:
        lines = enumerate(data.decode("utf-8-sig").splitlines(), start=1)
        rows = [(number, _row(line)) for number, line in lines if _is_told(line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MatrixRefused("the table is no CSV in UTF-8") from error
    for number, row in rows:
        if len(row) < len(_HEAD):
            raise MatrixRefused(f"line {number} has too few cells")
    if not rows or tuple(rows[0][1][: len(_HEAD)]) != _HEAD:
        raise MatrixRefused(f"the first line must begin with {','.join(_HEAD)}")
    columns = rows[0][1][len(_HEAD) :]
    if len(set(columns)) != len(columns) or not {HOLDER, PROGRAM, ANY} <= set(columns):
        raise MatrixRefused(
            f"the columns must differ, and {HOLDER}, {PROGRAM} and {ANY} be among them"
        )
    return _matrix(columns, rows[1:])


def _is_told(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _row(line: str) -> list[str]:
    [row] = csv.reader([line], strict=True)
    return [cell.strip() for cell in row]


def _matrix(columns: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> Matrix:
    by_type: dict[str, Mapping[str, str]] = {}
    by_class: dict[str, Mapping[str, str]] = {}
    for number, (_, types, classes, *cells) in rows:
        if len(cells) != len(columns):
            raise MatrixRefused(f"line {number} has {len(cells)} rights instead of {len(columns)}")
        if not set(cells) <= _CELLS:
            raise MatrixRefused(f"line {number} has a right that is none of r, w, rw and nothing")
        rights = dict(zip(columns, cells, strict=True))
        for codes, by_code in ((types, by_type), (classes, by_class)):
            for code in codes.split():
                by_code.setdefault(code, rights)
    rest = by_type.get(ANY)
    if rest is None or by_class.get(ANY) is not rest:
        raise MatrixRefused(f"a row must have {ANY} as its types and as its classes")
    return Matrix(by_type, by_class, rest)
