"""What a viewer reads in an imaging manifest (Key Object Selection, PS3.3 §A.35.4)."""

from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

_KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"


class UnreadableManifest(Exception):
    """The document is no manifest that a viewer could follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeries:
    """A series of the manifest, and where to ask for it."""

    retrieve_url: str
    instances: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The study of a manifest, with its series."""

    unique_id: str
    study_uid: str
    series: tuple[ListedSeries, ...]

    @property
    def listed(self) -> frozenset[str]:
        """SOP Instance UIDs of all of its instances."""
        return frozenset().union(*(series.instances for series in self.series))


def read_manifest(document: bytes) -> Manifest:
    """Read a manifest's evidence: its one study, series by series.

    Raises:
        UnreadableManifest: it is no key object, or it lacks what a viewer follows.
    """
    try:
        ds = dcmread(BytesIO(document))
        if ds.SOPClassUID != _KEY_OBJECT_SELECTION:
            raise UnreadableManifest("the document is no key object selection")
        [study] = ds.CurrentRequestedProcedureEvidenceSequence
        return Manifest(
            unique_id=str(ds.SOPInstanceUID),
            study_uid=str(study.StudyInstanceUID),
            series=tuple(
                ListedSeries(
                    retrieve_url=str(series.RetrieveURL),
                    instances=frozenset(
                        str(item.ReferencedSOPInstanceUID) for item in series.ReferencedSOPSequence
                    ),
                )
                for series in study.ReferencedSeriesSequence
            ),
        )
    except (InvalidDicomError, AttributeError, ValueError) as error:
        raise UnreadableManifest("the manifest lacks what a viewer follows") from error
