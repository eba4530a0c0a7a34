"""Every file that others published, as instances that can be sent all at once."""

from pathlib import Path

import pydicom.data
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.interop.instances import Instance, NotAnInstance, associated, sent
from tests.support.peers import shared_data
from tests.support.programs import Gateway

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def published_files() -> dict[str, Path]:
    """The third-party files and those that come with pydicom, by their names."""
    found = {}
    for name, folder in (("dicom", shared_data() / "dicom"), ("pydicom", BUNDLED)):
        for path in sorted(one for one in folder.rglob("*") if _is_dicom(one)):
            found[f"{name}/{path.relative_to(folder).as_posix()}"] = path
    return found


def instances_in(files: dict[str, Path]) -> dict[str, Instance]:
    """Those that can be sent; what shares a UID with another gets one of its own."""
    instances = {}
    for name, path in files.items():
        try:
            instances[name] = Instance.of(path.read_bytes())
        except NotAnInstance:
            continue
    taken: set[str] = set()
    # A deflated one keeps its UID, which cannot be replaced in its bytes.
    for name, one in sorted(instances.items(), key=lambda item: not is_deflated(item[1])):
        if one.sop_instance in taken and one.header.get("SOPInstanceUID"):
            instances[name] = one.renamed(str(10 ** len(one.sop_instance) - len(taken)))
        taken.add(instances[name].sop_instance)
    return instances


def is_deflated(instance: Instance) -> bool:
    """Whether its bytes are compressed as a whole (PS3.5 §A.5)."""
    return instance.transfer_syntax == DeflatedExplicitVRLittleEndian


def _is_dicom(path: Path) -> bool:
    """By its name, or by what every Part 10 file begins with (PS3.10 §7.1)."""
    if not path.is_file():
        return False
    return path.suffix == ".dcm" or path.read_bytes()[128:132] == b"DICM"


def taken(gateway: Gateway, folder: Path) -> dict[str, Instance]:
    """What the gateway takes of all of them, sent on one association.

    Args:
        folder: for the files that the sender makes.
    """
    corpus = instances_in(published_files())
    with associated(gateway.dicom, corpus.values()) as association:
        return {name: one for name, one in corpus.items() if not sent(association, one, folder)}
