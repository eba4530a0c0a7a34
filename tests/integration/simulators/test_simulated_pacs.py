"""The simulated PACS keeps, finds, moves and notifies as the standard says."""

import socket
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.presentation import build_context

from simulators.digest import digest_of
from simulators.imaging_centre.dimse import (
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    DicomAddress,
    Unanswered,
    associate,
)
from simulators.imaging_centre.modality import look_at, send_study
from simulators.synthetic.examination import MODALITIES, Examination
from simulators.synthetic.uids import uid_of

WITHIN_S = 10
Made = Callable[[str], tuple[Examination, tuple[Path, ...]]]


def query(level: str, **keys: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def find(pacs: DicomAddress, identifier: Dataset) -> tuple[int, list[Dataset]]:
    association = associate("GATEWAY", pacs, [build_context(STUDY_ROOT_FIND)])
    answers = list(association.send_c_find(identifier, STUDY_ROOT_FIND))
    association.release()
    return answers[-1][0].Status, [answer for _, answer in answers if answer is not None]


def move(pacs: DicomAddress, identifier: Dataset, to: str, message_id: int = 1) -> Dataset:
    association = associate("GATEWAY", pacs, [build_context(STUDY_ROOT_MOVE)])
    answers = list(association.send_c_move(identifier, to, STUDY_ROOT_MOVE, msg_id=message_id))
    association.release()
    return answers[-1][0]


def test_it_answers_an_echo(pacs_address: DicomAddress) -> None:
    association = associate("GATEWAY", pacs_address, [build_context(VERIFICATION)])

    answer = association.send_c_echo()
    transport: Any = association.dul.socket
    nodelay = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    association.release()

    assert answer.Status == 0x0000
    assert nodelay


def test_an_answer_waits_for_the_thread_that_waits_for_it(pacs_address: DicomAddress) -> None:
    association = associate("MODALITE", pacs_address, [build_context(VERIFICATION)])
    answer = C_ECHO()

    association.dimse.msg_queue.put((1, answer))

    assert association.dimse.get_msg(block=False) == (None, None)  # as its own thread looks in
    assert association.dimse.get_msg(block=True) == (1, answer)
    association.release()


def test_a_study_is_found_with_its_counts(pacs_address: DicomAddress, a_study: Made) -> None:
    examination, files = a_study("CT")
    send_study(files, pacs_address)

    status, [study] = find(
        pacs_address,
        query(
            "STUDY",
            StudyInstanceUID=examination.study_uid,
            PatientID="",
            PatientName="",
            IssuerOfPatientID="",
            AccessionNumber="",
            ModalitiesInStudy="",
            NumberOfStudyRelatedSeries="",
            NumberOfStudyRelatedInstances="",
        ),
    )

    assert status == 0x0000
    assert study.PatientID == examination.patient.local_id
    assert study.IssuerOfPatientID == examination.patient.local_id_issuer
    assert str(study.PatientName) == examination.patient.dicom_name
    assert study.AccessionNumber == examination.accession
    assert study.ModalitiesInStudy == "CT"
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 10)


def test_series_and_images_are_found_below_their_study(
    pacs_address: DicomAddress, a_study: Made
) -> None:
    examination, files = a_study("US")
    send_study(files, pacs_address)

    _, [series] = find(
        pacs_address,
        query(
            "SERIES",
            StudyInstanceUID=examination.study_uid,
            SeriesInstanceUID="",
            Modality="",
            SeriesDescription="",
        ),
    )
    _, images = find(
        pacs_address,
        query(
            "IMAGE",
            StudyInstanceUID=examination.study_uid,
            SeriesInstanceUID=series.SeriesInstanceUID,
            SOPInstanceUID="",
            SOPClassUID="",
            NumberOfFrames="",
            InstanceNumber="",
        ),
    )

    assert (series.Modality, series.SeriesDescription) == ("US", "Foie, coupe sagittale")
    assert {image.SOPInstanceUID for image in images} == {made.uid for made in look_at(files)}
    assert [image.NumberOfFrames for image in images] == [8, 8]


def test_a_query_below_the_study_without_the_studys_uid_is_refused(
    pacs_address: DicomAddress, a_study: Made
) -> None:
    _, files = a_study("CR")
    send_study(files, pacs_address)

    status, answers = find(pacs_address, query("IMAGE", SOPInstanceUID=""))

    assert (status, answers) == (0xA900, [])


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_moved_is_what_was_stored(
    pacs_address: DicomAddress, receiver: Any, a_study: Made, modality: str
) -> None:
    examination, files = a_study(modality)
    send_study(files, pacs_address)

    answer = move(
        pacs_address, query("STUDY", StudyInstanceUID=examination.study_uid), "DRIMBOX", 41
    )
    arrived = [receiver.stored.get(timeout=WITHIN_S) for _ in files]

    assert answer.Status == 0x0000
    assert answer.NumberOfCompletedSuboperations == len(files)
    assert {digest_of(BytesIO(data)) for _, data in arrived} == {
        made.digest for made in look_at(files)
    }
    assert {request.MoveOriginatorMessageID for request, _ in arrived} == {41}
    assert {request.MoveOriginatorApplicationEntityTitle for request, _ in arrived} == {"GATEWAY"}


def test_it_moves_to_no_stranger(pacs_address: DicomAddress, a_study: Made) -> None:
    examination, files = a_study("CR")
    send_study(files, pacs_address)

    answer = move(pacs_address, query("STUDY", StudyInstanceUID=examination.study_uid), "STRANGER")

    assert answer.Status == 0xA801


def test_a_move_that_names_no_study_is_refused(pacs_address: DicomAddress) -> None:
    answer = move(pacs_address, query("STUDY", PatientID="IPP1"), "DRIMBOX")

    assert answer.Status & 0xF000 == 0xC000


def test_a_part_of_a_study_can_be_moved(
    pacs_address: DicomAddress, receiver: Any, a_study: Made
) -> None:
    examination, files = a_study("MG")
    send_study(files, pacs_address)
    uid = uid_of(examination.study_uid, 3)

    answer = move(
        pacs_address,
        query("SERIES", StudyInstanceUID=examination.study_uid, SeriesInstanceUID=uid),
        "DRIMBOX",
    )

    assert (answer.Status, answer.NumberOfCompletedSuboperations) == (0x0000, 1)
    assert receiver.stored.get(timeout=WITHIN_S)[0].AffectedSOPInstanceUID == look_at(files)[2].uid


def test_the_gateway_is_told_of_all_of_a_study_once_it_is_quiet(
    pacs_address: DicomAddress,
    receiver: Any,
    a_study: Made,
    told: "SimpleQueue[tuple[str, int]]",
) -> None:
    examination, files = a_study("MG")

    send_study(files, pacs_address)
    notification = receiver.notified.get(timeout=WITHIN_S)
    study_uid, _ = told.get(timeout=WITHIN_S)

    assert notification.StudyInstanceUID == study_uid == examination.study_uid
    listed = [
        item
        for series in notification.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert len(notification.ReferencedSeriesSequence) == 4
    assert {item.ReferencedSOPInstanceUID for item in listed} == {
        made.uid for made in look_at(files)
    }
    assert {(item.InstanceAvailability, item.RetrieveAETitle) for item in listed} == {
        ("ONLINE", "PACS")
    }
    assert receiver.notified.empty()


def test_a_notification_that_is_refused_is_sent_again(
    pacs_address: DicomAddress,
    receiver: Any,
    a_study: Made,
    told: "SimpleQueue[tuple[str, int]]",
) -> None:
    _, files = a_study("CR")
    receiver.refusals_left = 1

    send_study(files, pacs_address)

    assert told.get(timeout=WITHIN_S)
    assert receiver.notified.get(timeout=WITHIN_S)


def test_a_modality_says_when_nobody_listens(a_study: Made) -> None:
    _, files = a_study("CR")
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        nobody = DicomAddress("PACS", "127.0.0.1", unheard.getsockname()[1])

        with pytest.raises(Unanswered):
            send_study(files, nobody)
