"""A modality: sends the instances of a study, and remembers what it made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pynetdicom import _config
from pynetdicom.presentation import build_context

from simulators.digest import digest_of
from simulators.imaging_centre.dimse import DicomAddress, Unanswered, associate

_WARNINGS = range(0xB000, 0xC000)
_UIDS = ["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"]


class NotStored(Exception):
    """The peer answered a C-STORE with a failure status."""

    def __init__(self, status: int | None) -> None:
        super().__init__("no status" if status is None else f"status {status:04X}")
        self.status = status


@dataclass(frozen=True, slots=True)
class MadeInstance:
    """An instance as the modality made it."""

    uid: str
    sop_class: str
    digest: str
    series: str


def look_at(files: Sequence[Path]) -> list[MadeInstance]:
    """What the files hold, for the comparison when they have come back.

    Raises:
        pydicom.errors.InvalidDicomError: one is no Part 10 file.
    """
    made = []
    for path in files:
        ds = dcmread(path, specific_tags=_UIDS)
        made.append(
            MadeInstance(
                str(ds.SOPInstanceUID),
                str(ds.SOPClassUID),
                digest_of(path),
                str(ds.SeriesInstanceUID),
            )
        )
    return made


def send_study(files: Sequence[Path], to: DicomAddress, *, ae_title: str = "MODALITE") -> None:
    """Send Part 10 files by C-STORE on one association, each in the syntax that it has.

    Raises:
        Unanswered: the peer is not there, refuses the association or does not answer.
        NotStored: it refused an instance; the rest was not sent.
        ValueError: the peer accepts no presentation context for an instance.
    """
    # The files' bytes go out as they are; pydicom would else decode and write them again.
    _config.STORE_SEND_CHUNKED_DATASET = True
    kinds = {_kind_of(path) for path in files}
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(kinds)]
    association = associate(ae_title, to, contexts)
    try:
        for number, path in enumerate(files, start=1):
            answer = association.send_c_store(path, msg_id=number % 0xFFFF + 1)
            status = answer.get("Status")
            if status is None:
                raise Unanswered(f"{to.ae_title} broke off")
            if status != 0 and status not in _WARNINGS:
                raise NotStored(status)
    except RuntimeError as error:
        raise Unanswered(f"{to.ae_title} ended the association") from error
    finally:
        association.release()


def _kind_of(path: Path) -> tuple[str, str]:
    meta = dcmread(path, specific_tags=_UIDS).file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
