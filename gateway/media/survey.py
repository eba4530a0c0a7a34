"""Looks over a medium before anything of it is taken in."""

from dataclasses import dataclass

from gateway.errors import InvalidRequest
from gateway.media.dicomdir import SIZE_BYTES_MAX, listed_files
from gateway.media.tally import Fate, Outcome
from gateway.media.tree import DICOMDIR, MediaFile, MediaTree, read_whole
from gateway.media.xdm import METADATA, archive_of, is_metadata, set_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What lies on a medium."""

    entries: int
    """Files, and what is passed over."""
    archives: frozenset[str]
    """Folders, in upper case, that hold an XDM archive."""
    outcomes: tuple[Outcome, ...]
    """What its DICOMDIRs list and is not there, those that cannot be read, and submission sets that
    nothing describes."""


def look_over(tree: MediaTree) -> Survey:
    """The whole medium, by its names; blocks.

    Raises:
        InvalidRequest: it holds more than is read.
    """
    entries, archives, names = 0, set(), set()
    directories: list[MediaFile] = []
    sets: dict[str, str] = {}
    described: set[str] = set()
    for one in tree.walk():
        entries += 1
        if not isinstance(one, MediaFile):
            continue
        folder = set_of(one.name)
        sets.setdefault(folder.upper(), folder)
        if is_metadata(one.name):
            archives.add(archive_of(one.name))
            described.add(folder.upper())
        if one.name.upper().rpartition("/")[2] == DICOMDIR:
            directories.append(one)
    if directories:
        names = {one.name.upper() for one in tree.walk()}
    outcomes = [outcome for one in directories for outcome in _missing(tree, one, names)]
    reason = f"a submission set without its {METADATA}"
    outcomes += [
        Outcome(name=folder, fate=Fate.FAILED, reason=reason)
        for name, folder in sets.items()
        if name and name not in described
    ]
    return Survey(entries=entries, archives=frozenset(archives), outcomes=tuple(outcomes))


def _missing(tree: MediaTree, directory: MediaFile, names: set[str]) -> list[Outcome]:
    try:
        listed = listed_files(read_whole(tree, directory, bytes_max=SIZE_BYTES_MAX))
    except InvalidRequest as error:
        # All files are looked at in any case: without it, what is missing is not noticed.
        return [Outcome(name=directory.name, fate=Fate.FAILED, reason=str(error))]
    folder = directory.name[: -len(DICOMDIR)]
    absent = [name for one in listed if (name := f"{folder}{one}").upper() not in names]
    reason = "listed in the DICOMDIR and not there"
    return [Outcome(name=name, fate=Fate.FAILED, reason=reason) for name in absent]
