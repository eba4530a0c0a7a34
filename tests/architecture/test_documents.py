"""What the documents name is there: files, headings, commands."""

import re
from pathlib import Path

from tests.architecture.repository import ROOT, files, name, project

LINK = re.compile(r"\]\((?!\w+:)(?P<file>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
MAKE = re.compile(r"\bmake ((?:[a-z-]+ ?)+)")
PLACE = re.compile(r"(?:gateway|indexer|simulators|tests|scripts)/[\w/.]*\w")
PROGRAM = re.compile(r"\bdrim-[a-z]+\b(?![-./])")


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
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
