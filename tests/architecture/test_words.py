"""The repository speaks of the product alone: not of who wrote it, where, or what is still due."""

import re
from pathlib import Path

from tests.architecture.repository import PACKAGES, files, name

TEXTS = (".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".yml", "")
NOT_OURS = {"LICENSE"}
FOREIGN = {
    "a folder of one machine": r"(?<![\w.}])/(?:work|root|home|Users|opt)/",
    "where packages come from": r"(?:extra-)?index-url|find-links",
    "a number of a tracker": r"\b(?:issues?|tickets?|PR|MR) #?\d+\b|\(#\d+\)",
    "work left undone": r"\b(?:TODO|FIXME|XXX|HACK|WIP)\b",
}
HERE = Path(__file__)


def test_no_file_speaks_of_anything_but_the_product() -> None:
    found = [
        f"{name(path)}:{number}: {what}"
        for path in files(*TEXTS)
        if path != HERE and path.name not in NOT_OURS
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for what, pattern in FOREIGN.items()
        if re.search(pattern, line)
    ]

    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name(path)
        for path in files(".py", under=PACKAGES)
        if not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]

    assert silent == []
