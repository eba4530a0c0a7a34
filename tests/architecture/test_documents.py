"""What the documents name is there: files, headings, commands."""

import re
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files, name, project

LINK = re.compile(r"\]\((?!\w+:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
MAKE = re.compile(r"\bmake ((?:[a-z-]+ ?)+)")
PLACE = re.compile(r"(?:gateway|indexer|simulators|tests|scripts)/[\w/.]*\w")
PROGRAM = re.compile(r"\bdrim-[a-z]+\b(?![-./])")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PART = re.compile(r"^#{2,3} +(.+?) *$", re.MULTILINE)
LINES_WITHOUT_CONTENTS_MAX = 400


def _is_long(document: Path) -> bool:
    return len(document.read_text().splitlines()) > LINES_WITHOUT_CONTENTS_MAX


def test_every_link_between_documents_resolves() -> None:
    broken = [
        f"{name(document)}: {link[0]}"
        for document in files(".md")
        for link in LINK.finditer(document.read_text())
        if not _resolves(document, link)
    ]

    assert broken == []


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))

    unknown = [
        f"{name(document)}: make {target}"
        for document in files(".md")
        for targets_of_line in MAKE.findall(_commands(document))
        for target in targets_of_line.split()
        if target not in targets
    ]

    assert unknown == []


def test_every_program_that_a_document_names_exists() -> None:
    programs = {*project()["project"]["scripts"], project()["project"]["name"]}

    unknown = [
        f"{name(document)}: {program}"
        for document in files(".md")
        for program in PROGRAM.findall(_commands(document))
        if program not in programs
    ]

    assert unknown == []


def test_every_place_that_a_document_names_exists() -> None:
    unknown = [
        f"{name(document)}: {place}"
        for document in files(".md")
        for place in PLACE.findall(_commands(document))
        if not (ROOT / place).exists() and not (ROOT / f"{place}.py").exists()
    ]

    assert unknown == []


@pytest.mark.parametrize("document", [one for one in files(".md") if _is_long(one)], ids=name)
def test_a_long_document_begins_with_what_is_in_it(document: Path) -> None:
    opening, _, rest = document.read_text().partition("\n## ")

    listed = [link["heading"] for link in LINK.finditer(opening) if not link["file"]]

    assert listed == [_anchor(title) for title in PART.findall(FENCED.sub("", f"\n## {rest}"))]


def _commands(document: Path) -> str:
    """All that the document sets as code."""
    return "\n".join(CODE.findall(document.read_text()))


def _resolves(document: Path, link: re.Match[str]) -> bool:
    target = document.parent / link["file"] if link["file"] else document
    if not target.exists():
        return False
    return link["heading"] is None or link["heading"] in _headings(target.read_text())


def _headings(text: str) -> set[str]:
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {_anchor(title) for title in titles}


def _anchor(title: str) -> str:
    """What a link names of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
