"""The habilitation matrix is a table that people edit: what is wrong in it is told by its line."""

from dataclasses import replace
from pathlib import Path

import pytest

from indexer.contract.access import CallerKind
from indexer.contract.document import Code
from indexer.server.rights.habilitations import (
    FILE_BYTES_MAX,
    MatrixRefused,
    load_matrix,
    read_matrix,
)
from tests.support.pointers import an_entry
from tests.support.rights import a_caller

HEAD = "category,types,classes,10,60,AUTOMATE,patient,*\n"
REST = "rest,*,*,rw,,rw,r,\n"
REPORT = replace(an_entry(), type_code=Code(code="18748-4", scheme="2.16.840.1.113883.6.1"))


def test_the_type_decides_before_the_class_and_both_before_the_rest() -> None:
    table = f"{HEAD}imaging,IMG-KOS,31,,r,,,\nreport,18748-4,,,w,,,\n{REST}"
    matrix = read_matrix(table.encode())
    nurse = a_caller("60")
    letter = replace(REPORT, class_code=Code(code="11", scheme="x"), type_code=REPORT.class_code)

    assert (matrix.reads(nurse, an_entry()), matrix.writes(nurse, an_entry())) == (True, False)
    assert (matrix.reads(nurse, REPORT), matrix.writes(nurse, REPORT)) == (False, True)
    assert (matrix.reads(nurse, letter), matrix.writes(nurse, letter)) == (False, False)


def test_a_code_of_another_system_is_no_profession() -> None:
    stranger = replace(a_caller(), role=Code(code="10", scheme="1.2.250.1.213.1.1.4.6"))

    assert load_matrix(None).reads(a_caller(), an_entry())
    assert not load_matrix(None).reads(stranger, an_entry())


def test_programs_and_patients_have_columns_of_their_own() -> None:
    matrix = read_matrix(f"{HEAD}{REST}".encode())

    assert matrix.writes(a_caller(kind=CallerKind.SYSTEM), REPORT)
    assert not matrix.writes(a_caller(kind=CallerKind.PATIENT), REPORT)


@pytest.mark.parametrize(
    "table, told",
    [
        ("", "the first line must begin with category,types,classes"),
        ("kind,types,classes,10,AUTOMATE,patient,*", "the first line must begin"),
        ("category,types,classes,10,10,AUTOMATE,patient,*", "the columns must differ"),
        ("category,types,classes,10,patient,*", "AUTOMATE"),
        (f"{HEAD}imaging,IMG-KOS,31,r,r\n{REST}", "line 2 has 2 rights instead of 5"),
        (f"{HEAD}imaging\n{REST}", "line 2 has too few cells"),
        (f"# why\n{HEAD}imaging,IMG-KOS,31,r,x,,,\n{REST}", "line 3 has a right that is none"),
        (HEAD, "a row must have \\* as its types and as its classes"),
        (f"{HEAD}rest,*,,r,,,,\n", "a row must have \\*"),
        (f'{HEAD}"rest,*\n', "no CSV"),
        ("category\xe9", "no CSV"),
        ("#" * (FILE_BYTES_MAX + 1), "larger than"),
    ],
)
def test_a_table_that_is_none_is_refused_by_its_line(table: str, told: str) -> None:
    with pytest.raises(MatrixRefused, match=told):
        read_matrix(table.encode("latin-1"))


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(MatrixRefused, match=r"nowhere\.csv"):
        load_matrix(tmp_path / "nowhere.csv")
