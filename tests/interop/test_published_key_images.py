"""A radiologist's key images, as highdicom writes them, in the manifest that a viewer finds."""

import io
from collections.abc import Sequence
from pathlib import Path

import highdicom
import pydicom
from dicomweb_client.api import DICOMwebClient
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from tests.interop.studies import a_study, document_of, published
from tests.interop.wire import told
from tests.support.programs import Gateway, Index

TEXT = "Nodule du lobe supérieur droit"


def test_the_images_that_a_key_object_selects_name_it_in_the_manifest(
    open_gateway: Gateway, index: Index, tmp_path: Path
) -> None:
    """As in the agency's sample `KIN`: the key object has a series, and each image that it selects
    bears its UIDs, its title and its text."""
    study = a_study(tmp_path, "CT")
    images = [pydicom.dcmread(path) for path in study.files]
    selection = a_selection(images[:2])
    DICOMwebClient(url=open_gateway.dicomweb).store_instances([*images, selection])

    told(open_gateway.mllp, study.report)
    published(open_gateway, study)
    _, document = document_of(study, index)

    manifest = pydicom.dcmread(io.BytesIO(document))
    [evidence] = manifest.CurrentRequestedProcedureEvidenceSequence
    listed = {
        one.ReferencedSOPInstanceUID: (series.SeriesInstanceUID, one.get("ReferencedSOPSequence"))
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert listed.keys() == {one.SOPInstanceUID for one in [*images, selection]}
    assert listed[selection.SOPInstanceUID] == (selection.SeriesInstanceUID, None)
    for image in images[:2]:
        [selecting] = listed[image.SOPInstanceUID][1]
        [title], [content] = selecting.ConceptNameCodeSequence, selecting.ContentSequence
        assert selecting.ReferencedSOPInstanceUID == selection.SOPInstanceUID
        assert selecting.SeriesInstanceUID == selection.SeriesInstanceUID
        assert (title.CodeValue, title.CodingSchemeDesignator) == ("113000", "DCM")
        assert content.TextValue == TEXT
    assert [listed[one.SOPInstanceUID][1] for one in images[2:]] == [None] * len(images[2:])


def a_selection(images: Sequence[pydicom.Dataset]) -> pydicom.Dataset:
    """The key object document that selects these."""
    content = highdicom.ko.KeyObjectSelection(
        document_title=codes.DCM.OfInterest, referenced_objects=images, description=TEXT
    )
    return highdicom.ko.KeyObjectSelectionDocument(
        evidence=images,
        content=content,
        series_instance_uid=generate_uid(),
        series_number=99,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="highdicom",
    )
