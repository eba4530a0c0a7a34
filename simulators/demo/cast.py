"""Who plays: the studies of a demo, each with the way that it goes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simulators.demo.folder import FoundStudy
from simulators.demo.story import Case, Whereabouts
from simulators.synthetic.examination import MODALITIES, Examination, make_examination
from simulators.synthetic.identity import make_patient
from simulators.synthetic.studies import save_study

SEED = 1
# Numbers of the studies that disagree and of the stranger, beyond any number of a study.
_OTHER_ACCESSION, _OTHER_PATIENT, _STRANGER = 90_001, 90_002, 90_003


def cast_synthetic(count: int, folder: Path) -> list[Case]:
    """`count` synthetic studies, whose files are written into the folder."""
    cases = []
    for number in range(count):
        examination = make_examination(SEED, number, MODALITIES[number % len(MODALITIES)])
        files = save_study(examination, folder / f"study-{number:04}")
        cases.append(_go_a_way(number, examination, files))
    return cases


def cast_found(studies: Sequence[FoundStudy]) -> list[Case]:
    """Studies that were found in a folder."""
    return [
        _go_a_way(number, study.examination, study.files) for number, study in enumerate(studies)
    ]


def cast_disagreeing(folder: Path) -> list[Case]:
    """Two studies whose report is on something else: another accession, another patient."""
    accession = make_examination(SEED, _OTHER_ACCESSION, "CT")
    patient = make_examination(SEED, _OTHER_PATIENT, "CR")
    reported = {
        "accession_differs": (accession, replace(accession, accession=f"{accession.accession}-X")),
        "patient_differs": (patient, replace(patient, patient=make_patient(SEED, _STRANGER))),
    }
    return [
        Case(
            examination=examination,
            reported=told,
            files=save_study(examination, folder / code),
            images=Whereabouts.PACS,
            set_aside_as=code,
        )
        for code, (examination, told) in reported.items()
    ]


def _go_a_way(number: int, examination: Examination, files: tuple[Path, ...]) -> Case:
    """Every other study stays in the PACS; two of each four are reported before their images."""
    return Case(
        examination=examination,
        reported=examination,
        files=files,
        images=Whereabouts.GATEWAY if number % 2 else Whereabouts.PACS,
        report_first=number % 4 >= 2,
    )
