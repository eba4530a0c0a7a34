"""How long a manifest takes to be written and read, beside plain pydicom in the same process.

Both write the same data set, which is checked, and both list the instances of the same bytes; ours
reads the whole manifest besides. They take turns.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from time import process_time
from typing import Any, Final

from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataset import FileMetaDataset

from benchmarks.kit.exams import Exams
from benchmarks.kit.results import Spread
from gateway.manifest.forms import write_manifest
from gateway.manifest.kos import OwnSeries
from gateway.manifest.model import MadoCodes, ManifestForm
from gateway.manifest.reader import read_manifest
from gateway.serving import tune_interpreter
from indexer.contract.identifiers import Uid

_OWN: Final = OwnSeries(series=Uid("2.25.8"), ae_title="DRIMBOX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    references: int = 500
    rounds: int = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that both sides do, with the CPU ms that each took each time."""

    name: str
    ours: list[float] = field(default_factory=list)
    pydicom: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> Spread:
        """How many times as long pydicom took, pair by pair."""
        return Spread.of([its / own for own, its in zip(self.ours, self.pydicom, strict=True)])

    def line(self) -> str:
        """For a person to read."""
        ours, pydicom = Spread.of(self.ours), Spread.of(self.pydicom)
        return f"{self.name}: {ours} ms, pydicom {pydicom} ms, {self.ratio} times as fast"

    def figures(self) -> dict[str, object]:
        """To be kept."""
        return {
            "deed": self.name,
            "ours_ms": Spread.of(self.ours),
            "pydicom_ms": Spread.of(self.pydicom),
            "ratio": self.ratio,
        }


def measure(plan: Plan) -> list[Deed]:
    """Write and read, side by side.

    Raises:
        AssertionError: the two sides do not write or read the same.
    """
    tune_interpreter()  # as the gateway does
    [exam] = Exams.of(plan.references).one_each(1)
    manifest = read_manifest(exam.document)

    def write() -> bytes:
        return write_manifest(manifest, ManifestForm.FRENCH, own=_OWN, mado_codes=MadoCodes.TRIAL)

    document = write()
    told = _told(dcmread(io.BytesIO(document)))
    meta = _told(dcmread(io.BytesIO(document)).file_meta)
    assert dcmread(io.BytesIO(_written(told, meta))) == dcmread(io.BytesIO(document))
    listed = [
        (one.series, one.retrieve_url, each.sop_class, each.instance)
        for one in read_manifest(document).series
        for each in one.instances
    ]
    assert listed == _listed(document)
    assert len(listed) == plan.references
    writing, reading = Deed(name="build and write"), Deed(name="read and list")
    for _ in range(plan.rounds):
        writing.ours.append(_cpu_ms(write))
        writing.pydicom.append(_cpu_ms(lambda: _written(told, meta)))
        reading.ours.append(_cpu_ms(lambda: read_manifest(document)))
        reading.pydicom.append(_cpu_ms(lambda: _listed(document)))
    return [writing, reading]


def _cpu_ms(deed: Callable[[], object]) -> float:
    before = process_time()
    deed()
    return (process_time() - before) * 1000


def _told(item: Dataset) -> dict[str, Any]:
    """Values by keyword, as a program has them before it makes a data set."""
    told = {}
    for element in item:
        is_sequence = element.VR == "SQ"
        told[element.keyword] = (
            [_told(one) for one in element.value] if is_sequence else element.value
        )
    return told


def _built(told: dict[str, Any], into: Dataset) -> Dataset:
    for keyword, value in told.items():
        is_sequence = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        setattr(into, keyword, [_built(one, Dataset()) for one in value] if is_sequence else value)
    return into


def _written(told: dict[str, Any], meta: dict[str, Any]) -> bytes:
    file = FileDataset("", _built(told, Dataset()), preamble=bytes(128))
    file.file_meta = FileMetaDataset(_built(meta, FileMetaDataset()))
    buffer = io.BytesIO()
    file.save_as(buffer)
    return buffer.getvalue()


def _listed(document: bytes) -> list[tuple[str, str, str, str]]:
    [evidence] = dcmread(io.BytesIO(document)).CurrentRequestedProcedureEvidenceSequence
    return [
        (
            series.SeriesInstanceUID,
            series.RetrieveURL,
            one.ReferencedSOPClassUID,
            one.ReferencedSOPInstanceUID,
        )
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]
