"""The agency's test exams, rebuilt from the facts that are known of them.

The facts are third-party test inputs beside the project: tests that ask for them are skipped where
they are missing. Reports are in their newest form, as far as that is known.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from simulators.imaging_centre.document import Document
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.orders import build_omi
from simulators.imaging_centre.ris import Action, build_mdm, build_oru
from simulators.synthetic.examination import Act, Examination
from simulators.synthetic.identity import Organisation, Patient, Professional
from tests.support.peers import shared_data

ACCESSION_ISSUER = "1.2.250.1.925.994044.27"
"""Of the newest reports; older ones have others."""

# The request's numbers are constants of the test set that name no order and no accession.
_REQUEST = "09011600123"
_OLD_BIRTH_PLACE = "63220"
_OF_IMAGES = {"RM": "MR"}
_SENDER = ("RIS_TEST", "FACILITY_TEST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One letter of the test set: a report, and how its messages ask for it to be treated."""

    letter: str
    document: Document
    flags: dict[str, str]
    sender: tuple[str, str]
    """MSH-3 and MSH-4."""

    @property
    def examinations(self) -> tuple[Examination, ...]:
        """What the report is on."""
        return self.document.examinations

    def oru(self, *, action: Action | None = None, announced: Patient | None = None) -> Message:
        """The report's `ORU^R01`."""
        return build_oru(
            self.document,
            header=self._header,
            action=action,
            flags=self.flags,
            announced=announced,
            request=_REQUEST,
        )

    def mdm(self, *, action: Action | None = None, announced: Patient | None = None) -> Message:
        """The report's `MDM`."""
        return build_mdm(
            self.document,
            header=self._header,
            action=action,
            flags=self.flags,
            announced=announced,
        )

    def deletion_in_the_pacs(self) -> Message:
        """The `OMI^O23` that tells that the study was deleted: it names no order, and no character
        set."""
        [examination] = self.examinations
        told = replace(examination, patient=self.patient_of_old)
        header = replace(self._header, charset="")
        return build_omi(told, header=header, control="CA", changed=True, bare=True)

    @property
    def patient_of_old(self) -> Patient:
        """The patient with the birth place that the older messages name."""
        return replace(self.document.patient, birth_place=_OLD_BIRTH_PLACE)

    @property
    def _header(self) -> Header:
        # The test tool writes the id of the message into MSH-7, too: it is no time.
        application, facility = self.sender
        return Header(sent_at=None, application=application, facility=facility)


def the_exam(letter: str) -> Exam:
    """The exam of this name, such as `A` or `G1_MAJ`.

    Raises:
        KeyError: there is none with a report.
    """
    told = _facts()[letter]
    return Exam(
        letter=letter,
        document=_document(told["cda"]),
        flags=_flags(told["hl7"]),
        sender=_sender(told["hl7"]),
    )


@cache
def _facts() -> dict[str, dict[str, Any]]:
    path = shared_data() / "ans" / "exams.json"
    return {exam["exam"]: exam for exam in json.loads(path.read_text())["exams"] if exam["cda"]}


def _document(cda: dict[str, Any]) -> Document:
    author, organisation = cda["author"], cda["author"]["organisation"]
    number = (cda["newest_expected_inferred"] or {}).get("every organisation id")
    return Document(
        document_id=cda["document_id"]["root"],
        set_id=cda["set_id"]["root"],
        version=int(cda["version_number"]),
        replaces=((cda["related_document"] or {}).get("parent_document_id") or {}).get("root", ""),
        examinations=_examinations(cda),
        joint_act=any(len(act["study_instance_uids"]) > 1 for act in cda["documentation_of"]),
        written_at=_time(cda["effective_time"]),
        author=Professional(
            number=author["id"]["extension"],
            family=author["name"]["family"],
            given=author["name"]["given"],
        ),
        organisation=Organisation(
            number=(number or organisation["extension"]).removeprefix("1"),
            name=organisation["name"],
        ),
    )


def _examinations(cda: dict[str, Any]) -> tuple[Examination, ...]:
    """One for each study. Which accession number is which study's, their order alone tells."""
    newest = cda["newest_expected_inferred"] or {}
    orders = cda["in_fulfillment_of"]
    studies = [(uid, act) for act in cda["documentation_of"] for uid in act["study_instance_uids"]]
    patient = _patient(cda["patient"])
    return tuple(
        Examination(
            study_uid=uid,
            patient=patient,
            modality=_OF_IMAGES.get(act["modalities"][0]["code"], act["modalities"][0]["code"]),
            description=act["code"]["display"][:64],  # a LO (PS3.5 §6.2)
            accession=order["accession"]["extension"],
            accession_issuer=newest.get(
                "in_fulfillment_of[].accession.root", order["accession"]["root"]
            ),
            order=order["order_placer"]["extension"],
            order_issuer=newest.get(
                "in_fulfillment_of[].order_placer.root", order["order_placer"]["root"]
            ),
            study_id=uid.rpartition(".")[2],
            started_at=_time(act["effective_time"]["low"]),
            coded_act=_act(act),
        )
        for (uid, act), order in zip(studies, orders, strict=True)
    )


def _act(act: dict[str, Any]) -> Act:
    [region] = act["regions"]
    [modality] = act["modalities"]
    return Act(
        loinc=act["code"]["code"],
        label=act["code"]["display"],
        region=region["code"],
        region_label=region["display"] or "",
        ccam=act["ccam"]["code"],
        modality=modality["code"],
    )


def _patient(told: dict[str, Any]) -> Patient:
    return Patient(
        ins=told["ins"]["value"],
        ins_oid=told["ins"]["oid"],
        birth_name=told["name"]["family_BR"],
        given_names=tuple(told["name"]["given_list"]),
        birth_date=told["birth_date"],
        sex=told["sex"]["code"],
        birth_place="51215",  # of all newest reports; the number names it, too
        local_id=told["ipp"]["value"],
        local_id_issuer=told["ipp"]["root"],
    )


def _flags(messages: list[dict[str, Any]]) -> dict[str, str]:
    told = [one["flags"] or (one["expected_inferred"] or {}).get("flags") for one in messages]
    return dict(next(flags for flags in told if isinstance(flags, dict)))


def _sender(messages: list[dict[str, Any]]) -> tuple[str, str]:
    for msh in (one["msh"] for one in messages if one["msh"]):
        application, facility = msh["msh_3_sending_application"], msh["msh_4_sending_facility"]
        if "{{" not in application:  # a mark that the test tool fills in
            return application, facility
    return _SENDER


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S%z")
