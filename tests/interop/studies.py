"""Synthetic studies and their reports, each told to a gateway the way a centre does."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from simulators.imaging_centre.ris import build_message
from simulators.synthetic.examination import Examination, make_examination
from simulators.synthetic.studies import save_study
from tests.interop.instances import Instance
from tests.interop.wire import AS_STORED, asked, segment, told
from tests.support.program import Program
from tests.support.programs import Gateway, Index

T = TypeVar("T")

SEED = 29
WITHIN_S = 30.0
POLL_EVERY_S = 0.05
SECRET_LENGTH_MIN = 4  # characters; shorter ones are in any log

_NUMBERS = count(1)
_MADE: list["Study"] = []


@dataclass(frozen=True, kw_only=True)
class Study:
    """An examination, and the files that its modality made."""

    examination: Examination
    folder: Path
    files: tuple[Path, ...]

    @property
    def uid(self) -> str:
        """The Study Instance UID."""
        return self.examination.study_uid

    @property
    def instances(self) -> list[Instance]:
        """What the files hold."""
        return [Instance.of(path.read_bytes()) for path in self.files]

    @property
    def digests(self) -> dict[str, str]:
        """Digest of each instance by its SOP Instance UID."""
        return {one.sop_instance: one.digest for one in self.instances}

    @property
    def report(self) -> bytes:
        """The ORU of its report."""
        told = build_message(self.examination, sent_at=self.examination.started_at)
        return told.text.encode()

    @property
    def secrets(self) -> set[str]:
        """What no log may name of it: the patient, and every UID."""
        patient = self.examination.patient
        uids = {self.uid}
        for one in self.instances:
            uids |= {one.sop_instance, str(one.header.SeriesInstanceUID)}
        names = {patient.ins, patient.birth_name, patient.local_id, *patient.given_names}
        return uids | names | {self.examination.accession}


def a_study(folder: Path, modality: str) -> Study:
    """A study, and a patient, that no test has seen before."""
    examination = make_examination(SEED, next(_NUMBERS), modality)
    folder = folder / examination.study_id
    study = Study(examination=examination, folder=folder, files=save_study(examination, folder))
    _MADE.append(study)
    return study


def secrets_in(text: str) -> list[str]:
    """What the text names of any study that was made."""
    secrets = {secret for study in _MADE for secret in study.secrets}
    return [one for one in secrets if len(one) >= SECRET_LENGTH_MIN and one in text]


def assert_names_nobody(program: Program) -> None:
    """The program's log holds no patient, number or UID of any study that was made."""
    assert secrets_in(program.log) == []


def until(ask: Callable[[], T]) -> T:
    """The first answer that is true of those that `ask` gives."""
    given_up_at = time.monotonic() + WITHIN_S
    while not (answer := ask()):
        assert time.monotonic() < given_up_at, f"in {WITHIN_S} s only {answer!r} was answered"
        time.sleep(POLL_EVERY_S)
    return answer


def reported(gateway: Gateway, study: Study) -> None:
    """Send its report, as the RIS does."""
    [answer] = told(gateway.mllp, study.report)
    assert segment(answer, "MSA")[1] == "AA"


def fetched(gateway: Gateway, study: str) -> dict[str, str]:
    """Digest of each instance that a viewer gets of the study, as it is stored."""
    answer = asked(gateway.http, f"/dicom-web/studies/{study}", accept=AS_STORED)
    came = [Instance.of(content) for _kind, content in answer.parts]
    return {one.sop_instance: one.digest for one in came}


def standing(gateway: Gateway, study: Study) -> dict[str, Any]:
    """Where the gateway says that the study stands; empty if it does not know it."""
    listed = asked(gateway.http, "/api/studies?limit=1000").json["studies"]
    return next((row for row in listed if row["study_uid"] == study.uid), {})


def published(gateway: Gateway, study: Study) -> dict[str, Any]:
    """Wait until the study is published, and give its pointer as a viewer finds it."""
    until(lambda: standing(gateway, study).get("state") == "published")
    patient = study.examination.patient
    who = {"ins": patient.ins, "oid": patient.ins_oid}
    [pointer] = asked(gateway.http, "/api/pointers/search", method="POST", body=who).json[
        "pointers"
    ]
    assert isinstance(pointer, dict)
    return pointer


def document_of(study: Study, index: Index) -> tuple[dict[str, Any], bytes]:
    """The content of the study's one current entry, and its document: what the index gives to one
    who knows the patient's INS (ITI-67, ITI-68)."""
    patient = study.examination.patient
    who = quote(f"urn:oid:{patient.ins_oid}|{patient.ins}", safe="")
    found = asked(index.http, f"/fhir/DocumentReference?patient.identifier={who}&status=current")
    [entry] = found.json["entry"]
    [content] = entry["resource"]["content"]
    document = asked(index.http, urlsplit(content["attachment"]["url"]).path)
    assert document.status == 200
    return content, document.body
