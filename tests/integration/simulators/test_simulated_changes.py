"""The simulated modality and PACS tell what becomes of an exam: steps, commitment, deletion."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context, build_role

from simulators.imaging_centre.archive import Archive
from simulators.imaging_centre.commitment import PUSH_MODEL, CommitmentAsker, NotAsked
from simulators.imaging_centre.dimse import AS_REQUESTOR, DicomAddress, Unanswered
from simulators.imaging_centre.modality import look_at
from simulators.imaging_centre.notifier import Notifier
from simulators.imaging_centre.pacs import Pacs
from simulators.imaging_centre.steps import (
    DISCONTINUED,
    PERFORMED_STEP,
    StepRefused,
    begin_step,
    end_step,
)
from simulators.synthetic.examination import Examination

HOST = "127.0.0.1"
WITHIN_S = 10.0
Made = Callable[[str], tuple[Examination, tuple[Path, ...]]]


class Listener:
    """Takes steps and requests for commitment, and answers as it is told to."""

    def __init__(self) -> None:
        self.status = 0x0000
        self.begun: SimpleQueue[Any] = SimpleQueue()
        self.ended: SimpleQueue[Any] = SimpleQueue()
        self.asked: SimpleQueue[Dataset] = SimpleQueue()
        self.tells_at_once = False
        entity = AE(ae_title="DRIMBOX")
        entity.add_supported_context(PERFORMED_STEP)
        entity.add_supported_context(PUSH_MODEL)
        server = entity.start_server(
            (HOST, 0),
            block=False,
            evt_handlers=[
                (evt.EVT_N_CREATE, self._begin),
                (evt.EVT_N_SET, self._end),
                (evt.EVT_N_ACTION, self._ask),
            ],
        )
        assert server is not None
        self._server = server
        self.address = DicomAddress("DRIMBOX", HOST, server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()

    def _begin(self, event: Any) -> tuple[int, Any]:
        self.begun.put((event.request.AffectedSOPInstanceUID, event.attribute_list))
        return self.status, event.attribute_list

    def _end(self, event: Any) -> tuple[int, Any]:
        self.ended.put((event.request.RequestedSOPInstanceUID, event.modification_list))
        return self.status, event.modification_list

    def _ask(self, event: Any) -> tuple[int, Any]:
        request = event.action_information
        if self.tells_at_once:
            event.assoc.send_n_event_report(outcome_of(request), 2, PUSH_MODEL, PUSH_MODEL + ".1")
        self.asked.put(request)
        return self.status, None


def outcome_of(request: Dataset) -> Dataset:
    """All but the last instance are kept; that one is not held."""
    *kept, last = request.ReferencedSOPSequence
    outcome = Dataset()
    outcome.TransactionUID = request.TransactionUID
    outcome.ReferencedSOPSequence = kept
    last.FailureReason = 0x0112
    outcome.FailedSOPSequence = [last]
    return outcome


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def asker() -> Iterator[tuple[CommitmentAsker, DicomAddress]]:
    asker = CommitmentAsker()
    port = asker.start(HOST, 0)
    yield asker, DicomAddress(asker.ae_title, HOST, port)
    asker.close()


@pytest.fixture
def pacs(tmp_path: Path, receiver: Any) -> Iterator[tuple[Pacs, Archive]]:
    archive = Archive(tmp_path / "kept")
    notifier = Notifier(
        "PACS",
        receiver.address,
        instances_of=archive.study,
        told=lambda *_: None,
        quiet_s=0.05,
    )
    pacs = Pacs("PACS", archive, destinations={}, notifier=notifier)
    pacs.start(HOST, 0)
    yield pacs, archive
    pacs.close()


def availability(notification: Dataset) -> dict[str, str]:
    return {
        item.ReferencedSOPInstanceUID: item.InstanceAvailability
        for series in notification.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_a_step_is_begun_and_ended_with_what_was_made(listener: Listener, a_study: Made) -> None:
    examination, files = a_study("CT")
    made = look_at(files)

    step = begin_step(examination, listener.address)
    end_step(step, examination, made, listener.address, status=DISCONTINUED)

    begun_uid, begun = listener.begun.get(timeout=WITHIN_S)
    ended_uid, ended = listener.ended.get(timeout=WITHIN_S)
    [scheduled] = begun.ScheduledStepAttributesSequence
    named = {
        item.ReferencedSOPInstanceUID
        for series in ended.PerformedSeriesSequence
        for item in series.ReferencedImageSequence
    }
    assert begun_uid == ended_uid == step
    assert scheduled.StudyInstanceUID == examination.study_uid
    assert begun.PerformedProcedureStepStatus == "IN PROGRESS"
    assert ended.PerformedProcedureStepStatus == DISCONTINUED
    assert named == {one.uid for one in made}


def test_a_step_that_is_refused_is_known_as_such(listener: Listener, a_study: Made) -> None:
    examination, _ = a_study("CR")
    listener.status = 0x0111

    with pytest.raises(StepRefused) as refused:
        begin_step(examination, listener.address)

    assert refused.value.status == 0x0111


def test_the_outcome_of_a_commitment_may_come_on_the_same_association(
    listener: Listener, asker: tuple[CommitmentAsker, DicomAddress], a_study: Made
) -> None:
    made = look_at(a_study("CR")[1])
    listener.tells_at_once = True

    transaction = asker[0].ask(made, listener.address, stay_s=WITHIN_S)
    outcome = asker[0].outcome(within_s=WITHIN_S)

    assert outcome.transaction_uid == transaction
    assert outcome.kept == {made[0].uid}
    assert outcome.failed == {made[1].uid: 0x0112}
    assert (outcome.event_type, outcome.same_association) == (2, True)


def test_the_outcome_of_a_commitment_may_come_on_an_association_of_the_archive(
    listener: Listener, asker: tuple[CommitmentAsker, DicomAddress], a_study: Made
) -> None:
    made = look_at(a_study("CR")[1])
    transaction = asker[0].ask(made, listener.address)
    request = listener.asked.get(timeout=WITHIN_S)
    here = asker[1]

    association = AE(ae_title="DRIMBOX").associate(
        here.host,
        here.port,
        [build_context(PUSH_MODEL)],
        here.ae_title,
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
        evt_handlers=AS_REQUESTOR,
    )
    answer, _ = association.send_n_event_report(
        outcome_of(request), 2, PUSH_MODEL, PUSH_MODEL + ".1"
    )
    association.release()

    outcome = asker[0].outcome(within_s=WITHIN_S)
    assert answer.Status == 0x0000
    assert (outcome.transaction_uid, outcome.same_association) == (transaction, False)


def test_a_commitment_that_is_refused_or_never_told_is_known_as_such(
    listener: Listener, asker: tuple[CommitmentAsker, DicomAddress], a_study: Made
) -> None:
    made = look_at(a_study("CR")[1])
    listener.status = 0x0213

    with pytest.raises(NotAsked) as refused:
        asker[0].ask(made, listener.address)
    with pytest.raises(Unanswered):
        asker[0].outcome(within_s=0.1)

    assert refused.value.status == 0x0213


def test_what_the_pacs_deletes_it_notifies_as_unavailable(
    pacs: tuple[Pacs, Archive], receiver: Any, a_study: Made
) -> None:
    examination, files = a_study("MG")
    uids = [made.uid for made in look_at(files)]
    for path in files:
        pacs[1].store(path.read_bytes())

    pacs[0].delete(examination.study_uid, frozenset(uids[:1]))
    some = receiver.notified.get(timeout=WITHIN_S)
    pacs[0].delete(examination.study_uid)
    rest = receiver.notified.get(timeout=WITHIN_S)

    assert availability(some) == {
        uids[0]: "UNAVAILABLE",
        **dict.fromkeys(uids[1:], "ONLINE"),
    }
    assert availability(rest) == dict.fromkeys(uids[1:], "UNAVAILABLE")
    assert pacs[1].study(examination.study_uid) == []


def test_a_study_whose_patient_is_corrected_keeps_its_instances(
    pacs: tuple[Pacs, Archive], receiver: Any, a_study: Made
) -> None:
    examination, files = a_study("CR")
    for path in files:
        pacs[1].store(path.read_bytes())

    pacs[0].correct(examination.study_uid, PatientID="IPP-NEW")
    notification = receiver.notified.get(timeout=WITHIN_S)

    kept = pacs[1].study(examination.study_uid)
    before = {path.name: dcmread(path).PixelData for path in files}
    assert set(availability(notification).values()) == {"ONLINE"}
    assert {one.header.PatientID for one in kept} == {"IPP-NEW"}
    assert {dcmread(one.path).PixelData for one in kept} == set(before.values())


def test_a_notification_names_nothing_as_gone_that_is_back(
    pacs: tuple[Pacs, Archive], receiver: Any, a_study: Made
) -> None:
    examination, files = a_study("CR")
    for path in files:
        pacs[1].store(path.read_bytes())
    receiver.refusals_left = 1

    pacs[0].delete(examination.study_uid)
    for path in files:
        pacs[1].store(path.read_bytes())
    notification = receiver.notified.get(timeout=WITHIN_S)

    assert len(availability(notification)) == len(files)
    assert set(availability(notification).values()) == {"ONLINE"}
