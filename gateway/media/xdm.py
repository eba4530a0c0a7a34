"""The layout of an XDM archive (ITI TF-2 §3.32), as the French DRIMbox specification has it.

KA202401/                     one for each month in which manifests were made
    INDEX.HTM  README.TXT
    IHE_XDM/SS000001/         one for each submission set
        METADATA.XML          what the index was told of it
        KOS_1_1.DCM           the manifest
        CR.TXT                the report: `root;extension;INS;INS OID;IPP;IPP OID`
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from gateway.errors import InvalidRequest
from gateway.media.tree import MediaFile, MediaTree, read_whole
from indexer.contract.document import Identifier, Organisation, Submission
from indexer.contract.errors import InvalidValue

METADATA: Final = "METADATA.XML"
METADATA_BYTES_MAX: Final = 4 * 2**20
MANIFEST_BYTES_MAX: Final = 8 * 2**20
REPORT_BYTES_MAX: Final = 64 * 1024
SETS_MAX: Final = 999_999
"""Submission sets in one folder: the digits of its name."""

_ARCHIVE: Final = "IHE_XDM"
_REPORT: Final = "CR.TXT"
_BESIDE: Final = frozenset({"INDEX.HTM", "README.TXT"})
_SEPARATOR: Final = ";"
_FIELDS: Final = 6
_NOBODY: Final = Identifier(value="")
_SUFFIXES: Final = {"application/fhir+json": "JSN"}  # three characters, as ISO 9660 has them


class DescribedDocument(Protocol):
    """A document of a METADATA.XML, and where it lies."""

    @property
    def submission(self) -> Submission:
        """Without the document."""

    @property
    def uri(self) -> str:
        """From the folder of the metadata."""


ReadMetadata = Callable[[bytes], Sequence[DescribedDocument]]
WriteMetadata = Callable[[Submission, str], bytes]
"""METADATA.XML of a submission whose document lies at this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPointer:
    """A published pointer on its way from one gateway to another."""

    submission: Submission
    report_id: str
    """Document id of the report: root, or root^extension; empty where it is not known."""


def is_metadata(name: str) -> bool:
    """Whether a file describes a submission set."""
    parts = name.upper().split("/")
    return len(parts) > 2 and parts[-1] == METADATA and parts[-3] == _ARCHIVE


def is_part(name: str, archives: frozenset[str]) -> bool:
    """Whether a file is a part of an archive, and nothing to be read for itself.

    Args:
        archives: folders that hold an IHE_XDM; see `archive_of`.
    """
    parts = name.upper().split("/")
    return _ARCHIVE in parts[:-1] or (parts[-1] in _BESIDE and "/".join(parts[:-1]) in archives)


def set_of(name: str) -> str:
    """The folder of the submission set that a file lies in; empty where it lies in none."""
    parts = name.split("/")
    above = (place for place, one in enumerate(parts[:-2]) if one.upper() == _ARCHIVE)
    place = next(above, None)
    return "" if place is None else "/".join(parts[: place + 2])


def archive_of(metadata_name: str) -> str:
    """The folder that holds the IHE_XDM of this metadata, in upper case."""
    return "/".join(metadata_name.upper().split("/")[:-3])


def read_pointers(
    tree: MediaTree, metadata: MediaFile, read_metadata: ReadMetadata
) -> list[MediaPointer]:
    """The pointers that a METADATA.XML describes, with their manifests.

    Raises:
        InvalidRequest: the metadata or a manifest cannot be read, or they do not fit.
    """
    data = read_whole(tree, metadata, bytes_max=METADATA_BYTES_MAX)
    try:
        described = read_metadata(data)
    except InvalidValue as error:
        raise InvalidRequest(f"the metadata cannot be read: {error}") from None
    if not described:
        raise InvalidRequest("the metadata describes no manifest")
    folder = metadata.name.rpartition("/")[0]
    reports = _reports(tree, folder)
    # One line for each manifest, or one for all.
    if len(reports) != len(described):
        reports = (reports[:1] or [_Report()]) * len(described)
    pairs = zip(described, reports, strict=True)
    return [_pointer(tree, folder, one, report) for one, report in pairs]


def _pointer(
    tree: MediaTree, folder: str, told: DescribedDocument, report: "_Report"
) -> MediaPointer:
    document = read_whole(tree, find_document(tree, folder, told.uri), bytes_max=MANIFEST_BYTES_MAX)
    entry = told.submission.entry
    # The agency's demonstrator writes the INS where the metadata has the patient's id in the
    # centre, and the id itself in CR.TXT alone.
    if entry.local_patient.value in ("", entry.patient.value) and report.local_patient.value:
        entry = replace(entry, local_patient=report.local_patient)
    submission = replace(told.submission, entry=entry, document=document)
    return MediaPointer(submission=submission, report_id=report.document_id)


def find_document(tree: MediaTree, folder: str, uri: str) -> MediaFile:
    """Where the URI leads: from the metadata's folder (ITI TF-3 §4.2.3.2.26), or from IHE_XDM, as
    the agency's demonstrator writes it.

    Raises:
        InvalidRequest: it leads to nothing that lies there.
    """
    parts = uri.replace("\\", "/").split("/")
    if not uri or {"", ".", ".."}.intersection(parts):
        raise InvalidRequest("the metadata does not tell where a document lies")
    above = folder.rpartition("/")[0]
    for start in (folder, above):
        if (found := tree.find("/".join([start, *parts]))) is not None:
            return found
    raise InvalidRequest("a document is not where the metadata says")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What a line of CR.TXT tells."""

    document_id: str = ""
    local_patient: Identifier = _NOBODY


def _reports(tree: MediaTree, folder: str) -> list[_Report]:
    """The lines of CR.TXT; none where it is not there."""
    file = tree.find(f"{folder}/{_REPORT}")
    if file is None:
        return []
    text = read_whole(tree, file, bytes_max=REPORT_BYTES_MAX).decode("utf-8", "replace")
    return [_report(line) for line in text.lstrip("\ufeff").splitlines() if line.strip()]


def _report(line: str) -> _Report:
    fields = [*(one.strip() for one in line.split(_SEPARATOR)), *[""] * _FIELDS]
    root, extension, _ins, _ins_oid, local_id, authority = fields[:_FIELDS]
    return _Report(
        document_id=f"{root}^{extension}" if root and extension else root,
        local_patient=Identifier(value=local_id, authority=authority),
    )


def pointer_files(
    pointer: MediaPointer, number: int, write_metadata: WriteMetadata
) -> Iterator[tuple[str, bytes]]:
    """The files of one submission set, by their name in the archive.

    Args:
        number: of the submission set within its month, from 1.
    """
    submission = pointer.submission
    folder = f"{month_of(pointer)}/{_ARCHIVE}/SS{number:06}"
    manifest = f"KOS_{number}_1.{_SUFFIXES.get(submission.entry.mime_type, 'DCM')}"
    yield f"{folder}/{METADATA}", write_metadata(submission, manifest)
    yield f"{folder}/{manifest}", submission.document
    yield f"{folder}/{_REPORT}", _report_line(pointer).encode()


def month_of(pointer: MediaPointer) -> str:
    """The folder of the month in which its manifest was made."""
    return f"KA{pointer.submission.entry.created_at:%Y%m}"


def cover_files(
    month: str, *, pointers: int, sender: Organisation, application: str
) -> Iterator[tuple[str, bytes]]:
    """What a person finds first in the folder of a month; neither file names a patient."""
    who = (
        f"{_plain(sender.name)} ({_plain(sender.number)})" if sender.number else _plain(sender.name)
    )
    yield f"{month}/INDEX.HTM", _INDEX.format(who=_html(who), pointers=pointers).encode()
    readme = _README.format(who=who, application=application, pointers=pointers)
    yield f"{month}/README.TXT", readme.replace("\n", "\r\n").encode()


def _report_line(pointer: MediaPointer) -> str:
    entry = pointer.submission.entry
    root, _, extension = pointer.report_id.partition("^")
    local = entry.local_patient
    fields = (root, extension, entry.patient.value, entry.patient.oid, local.value, local.authority)
    # A value that would part the line is left out; the metadata has the patient's ids as well.
    return _SEPARATOR.join("" if _SEPARATOR in one else _plain(one) for one in fields)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_INDEX: Final = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" \
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr">
<head><title>Archive XDM</title></head>
<body>
<p>Émetteur : {who}</p>
<p>Cette archive contient {pointers} référence(s) d'examens d'imagerie.</p>
<p>Voir le fichier <a href="README.TXT">README.TXT</a></p>
</body>
</html>
"""

_README: Final = """Émetteur :
==========
    . Organisme : {who}

Application de l'émetteur :
===========================
    . Nom : {application}

Contenu :
=========
    . {pointers} référence(s) d'examens d'imagerie (KOS), telles que publiées dans le DMP.
    . Les documents de signature des lots de soumission n'en font pas partie.
    . Ces fichiers contiennent des données de santé : conservez-les en conséquence.

Instructions :
==============
    . Importez le dossier ou l'archive entière dans la DRIMbox de destination.

Arborescence :
==============
     README.TXT
     INDEX.HTM
     IHE_XDM
          SSnnnnnn             un dossier par lot de soumission
               METADATA.XML    métadonnées XDS du lot
               KOS_n_1.DCM     document de références d'objets
               CR.TXT          identifiants du compte rendu et du patient
"""
