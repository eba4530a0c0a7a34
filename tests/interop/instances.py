"""Instances as others wrote them, sent and compared byte for byte where that can be.

A file's data set is never decoded and written anew on its way out: what pydicom would mend, such
as a length or a VR, would else never reach the gateway.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, config, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE
from pynetdicom import _config as pynetdicom_config
from pynetdicom.association import Association

from simulators.digest import digest_of
from simulators.imaging_centre.dimse import AS_REQUESTOR
from tests.support.program import HOST

# Files go out as their bytes are, in the transfer syntax that their meta information names.
pynetdicom_config.STORE_SEND_CHUNKED_DATASET = True

PREFIX = bytes(128) + b"DICM"  # PS3.10 §7.1
MADE_UP = "2.25.1"
"""What a sender names an instance that does not name itself."""
ANSWER_WITHIN_S = 60.0
UNCOMPRESSED = frozenset((ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian))


class NotAnInstance(Exception):
    """No client can send the file: it names no SOP class."""


@dataclass(frozen=True)
class Instance:
    """A data set and what a sender says of it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    encoded: bytes
    """Without preamble and group 0002."""

    @classmethod
    def of(cls, document: bytes) -> "Instance":
        """What a file holds, with or without meta information, as its sender would name it.

        Raises:
            NotAnInstance: it has no SOP class, without which nobody can send it.
        """
        ds = dcmread(BytesIO(document), force=True, stop_before_pixels=True)
        meta = ds.file_meta
        sop_class = ds.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
        if not sop_class:
            raise NotAnInstance
        return cls(
            sop_class=sop_class,
            sop_instance=ds.get("SOPInstanceUID")
            or meta.get("MediaStorageSOPInstanceUID")
            or MADE_UP,
            transfer_syntax=meta.get("TransferSyntaxUID") or _NATIVE[ds.original_encoding],
            encoded=_without_meta(document),
        )

    @property
    def part10(self) -> bytes:
        """The file of it, with meta information of our own."""
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = UID(self.sop_class)
        meta.MediaStorageSOPInstanceUID = UID(self.sop_instance)
        meta.TransferSyntaxUID = UID(self.transfer_syntax)
        meta.ImplementationClassUID = UID("1.2.250.1.999.9")
        buffer = BytesIO()
        buffer.write(PREFIX)
        write_file_meta_info(DicomIO(buffer), meta)
        return buffer.getvalue() + self.encoded

    @cached_property
    def header(self) -> Dataset:
        """Its elements before the pixels, decoded."""
        return dcmread(BytesIO(self.part10), force=True, stop_before_pixels=True)

    @property
    def address(self) -> str:
        """Its path below the root of DICOMweb (PS3.18 §10.4)."""
        study, series = self.header.StudyInstanceUID, self.header.SeriesInstanceUID
        return f"/studies/{study}/series/{series}/instances/{self.sop_instance}"

    @cached_property
    def digest(self) -> str:
        """See `digest_of`: the same for the same data set in another native transfer syntax."""
        return digest_of(BytesIO(self.part10))

    @cached_property
    def values(self) -> dict[BaseTag, object]:
        """Each element's value but group lengths, for senders that mend lengths and VRs."""
        with _unknown_kept():
            ds = dcmread(BytesIO(self.part10))
            return {one.tag: one.value for one in ds if one.tag.element != 0}

    def renamed(self, sop_instance: str) -> "Instance":
        """The same under another UID of the same length; a deflated one cannot be renamed so."""
        old, new = self.sop_instance.encode(), sop_instance.encode()
        assert len(new) == len(old)
        pattern = _OWN_NAME + re.escape(old)
        encoded, count = re.subn(pattern, lambda found: found[1] + new, self.encoded, count=1)
        assert count == 1
        return replace(self, sop_instance=sop_instance, encoded=encoded)


# SOP Instance UID (0008,0018) in either order of bytes, with or without its VR.
_OWN_NAME = rb"(?s)((?:\x08\x00\x18\x00|\x00\x08\x00\x18)(?:.{4}|UN.{6}))"


@contextmanager
def _unknown_kept() -> Iterator[None]:
    """Of VR UN nobody knows the order of bytes (PS3.5 §6.2.2); pydicom would take the file's."""
    was = config.replace_un_with_known_vr
    config.replace_un_with_known_vr = False
    try:
        yield
    finally:
        config.replace_un_with_known_vr = was


def _without_meta(document: bytes) -> bytes:
    """The data set's bytes; group 0002 is read through, for some writers leave out its length."""
    if document[128:132] != b"DICM":
        return document
    source = BytesIO(document)
    source.seek(len(PREFIX))
    read_dataset(source, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    return source.read()


_NATIVE: dict[tuple[bool, bool] | tuple[None, None], UID] = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}


@contextmanager
def associated(port: int, instances: Iterable[Instance]) -> Iterator[Association]:
    """An association that offers each instance's class in its own transfer syntax."""
    ae = AE("INTEROP")
    ae.dimse_timeout = ANSWER_WITHIN_S
    for one in sorted({(one.sop_class, one.transfer_syntax) for one in instances}):
        ae.add_requested_context(*one)
    association = ae.associate(HOST, port, ae_title="DRIMBOX", evt_handlers=AS_REQUESTOR)
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def sent(association: Association, instance: Instance, folder: Path) -> str:
    """What the gateway answers to a C-STORE: empty for success, else what names the fault."""
    file = folder / "sent.dcm"
    file.write_bytes(instance.part10)
    try:
        status = association.send_c_store(file)
    except ValueError:
        return "no presentation context"
    if status.get("Status") == 0:
        return ""
    return f"{status.Status:04X} {status.get('ErrorComment', '')}"
