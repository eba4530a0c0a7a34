"""Media for tests: archives, DICOM files and pointers on their way. Nobody in them is real."""

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from gateway.manifest.reader import read_manifest
from indexer.client.xdm import write_metadata
from indexer.contract.document import Identifier, ReferenceId, ReferenceKind, Submission
from indexer.contract.identifiers import Uid
from tests.support.manifests import INS, a_manifest
from tests.support.pointers import a_submission

REPORT_ID = "1.2.250.1.999.5^7"
CENTRE_OID = "1.2.250.1.999.2"


def a_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive of these files."""
    with ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def a_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """A folder of these files."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def a_link_in_a_zip(name: str) -> ZipInfo:
    """A member that is a symbolic link."""
    info = ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def a_pointer(**told: Any) -> Submission:
    """A pointer with a manifest that fits it."""
    document = a_manifest()
    manifest = read_manifest(document)
    submission = a_submission(patient=INS, document=document)
    entry = replace(
        submission.entry,
        unique_id=Uid(manifest.identifier),
        local_patient=Identifier(value="LOC900", authority=CENTRE_OID),
        reference_ids=(
            ReferenceId(kind=ReferenceKind.STUDY, value=manifest.study),
            ReferenceId(kind=ReferenceKind.ACCESSION, value="ACN9001", authority="1.2.250.1.999.3"),
        ),
        sha1=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        size_bytes=len(document),
    )
    return replace(submission, entry=replace(entry, **told))


def an_archive(
    submission: Submission,
    *,
    month: str = "KA202601/",
    report: str = f"1.2.250.1.999.5;7;{INS.value};{INS.oid};LOC900;{CENTRE_OID}",
    uri: str = "KOS_1_1.DCM",
) -> dict[str, bytes]:
    """The files of an XDM archive with one pointer."""
    folder = f"{month}IHE_XDM/SS000001"
    return {
        f"{month}INDEX.HTM": b"<html/>",
        f"{month}README.TXT": b"Bonjour",
        f"{folder}/METADATA.XML": write_metadata(submission, uri=uri),
        f"{folder}/KOS_1_1.DCM": submission.document,
        f"{folder}/CR.TXT": report.encode(),
    }
