"""A rejection note is a valid key object that names what it rejects, and why."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread

from simulators.imaging_centre.modality import look_at
from simulators.imaging_centre.rejection import TITLES, save_rejection_note
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.peers import peer

VALIDATOR_WITHIN_S = 30


@pytest.mark.parametrize("code", TITLES)
def test_it_names_its_reason_and_each_instance(tmp_path: Path, code: str) -> None:
    files = save_study(make_examination(5, 7, "CT"), tmp_path)

    note = dcmread(save_rejection_note(files[3:7], code, tmp_path / "note.dcm"))

    [evidence] = note.CurrentRequestedProcedureEvidenceSequence
    named = {
        item.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert note.ConceptNameCodeSequence[0].CodeValue == code
    assert evidence.StudyInstanceUID == note.StudyInstanceUID == dcmread(files[0]).StudyInstanceUID
    assert len(evidence.ReferencedSeriesSequence) == 2
    assert named == {made.uid for made in look_at(files[3:7])}


def test_a_validator_finds_nothing_to_say(tmp_path: Path) -> None:
    validator = peer("dciodvfy")
    files = save_study(make_examination(5, 7, "CR"), tmp_path)

    note = save_rejection_note(files, "113001", tmp_path / "note.dcm")
    said = subprocess.run(
        [validator, note], capture_output=True, text=True, timeout=VALIDATOR_WITHIN_S
    ).stderr

    assert "Error" not in said
    assert "Warning" not in said
