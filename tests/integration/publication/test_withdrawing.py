"""What must not stay out is taken back, and what moves to another patient is not replaced."""

import pytest

from gateway.model.act import ActKind
from gateway.model.report import Visibility
from tests.support.failing_index import Fault
from tests.support.publishing import published, states
from tests.support.studies import INS, OTHER_INS, POLICY, a_patient


async def test_a_corrected_ins_moves_the_pointer_to_the_other_patients_record(bench, index):
    await published(bench)

    other = a_patient(ins=OTHER_INS)
    for message_digest in ("m2", "m2", "the same in another message"):
        await bench.tell_report(
            message_digest=message_digest, version=2, patient=other, announced=other
        )
        await bench.come_to_rest()

        assert await states(bench) == ("published", "")
    assert [submission.entry.patient for submission in index.held] == [INS, OTHER_INS]
    assert [submission.replaces for submission in index.held] == [None, None]
    assert [index.is_withdrawn(submission) for submission in index.held] == [True, False]


async def test_a_pointer_that_moved_and_came_back_is_a_new_one(bench, index):
    await published(bench)
    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.come_to_rest()

    await bench.tell_report(message_digest="m3", version=3)
    await bench.come_to_rest()

    assert [submission.entry.patient for submission in index.held] == [INS, OTHER_INS, INS]
    assert [index.is_withdrawn(submission) for submission in index.held] == [True, True, False]


async def test_a_pointer_that_was_to_move_and_stays_is_replaced(bench, index):
    await published(bench)
    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.look()

    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    await bench.tell_report(message_digest="m3", version=3, visibility=hidden)
    await bench.come_to_rest()

    assert [submission.entry.patient for submission in index.held] == [INS, INS]
    assert index.held[1].replaces is not None
    assert index.withdrawn == []


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.UNREACHABLE])
async def test_a_pointer_that_another_patients_was_in_the_way_of_goes_once_that_is_refused(
    bench, index, fault
):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    [under_way] = await bench.dispatcher.claim(1)
    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.look()

    index.faults.append(fault)
    await bench.dispatcher.send(under_way)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert [submission.entry.patient for submission in index.held] == [OTHER_INS]


@pytest.mark.parametrize(
    "last, stands",
    [
        ({"status": "D"}, ("withheld", "report_withdrawn")),
        ({"for_dmp": False}, ("withheld", "not_for_dmp")),
        ({"identity_status": "PROV"}, ("set_aside", "identity_not_validated")),
        ({"accessions": ()}, ("set_aside", "accession_differs")),
    ],
)
async def test_what_must_not_stay_out_is_withdrawn(bench, index, last, stands):
    await published(bench)

    await bench.tell_report(message_digest="m2", version=2, **last)
    await bench.come_to_rest()

    assert await states(bench) == stands
    assert [index.is_withdrawn(submission) for submission in index.held] == [True]
    assert (await bench.stores.standing())["pointer"] == "none"


async def test_what_was_withdrawn_can_be_published_again(bench, index):
    await published(bench)
    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.come_to_rest()

    await bench.tell_report(message_digest="m3", version=3)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert [submission.replaces for submission in index.held] == [None, None]
    assert [index.is_withdrawn(submission) for submission in index.held] == [True, False]


async def test_a_withdrawal_takes_back_what_the_entry_had_replaced(bench, index):
    await published(bench)
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    await bench.tell_report(message_digest="m2", version=2, visibility=hidden)
    await bench.come_to_rest()

    await bench.tell_report(message_digest="m3", version=3, status="D")
    await bench.come_to_rest()

    assert [index.is_withdrawn(submission) for submission in index.held] == [True, True]


async def test_what_was_never_sent_needs_no_withdrawal(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()

    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.come_to_rest()

    assert (index.held, index.withdrawn) == ([], [])
    assert await states(bench) == ("withheld", "report_withdrawn")


async def test_a_withdrawal_that_the_index_refuses_is_a_persons_to_mend(bench, index):
    await published(bench)
    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.look()
    index.faults.append(Fault.REFUSED)
    await bench.send()

    assert await states(bench) == ("set_aside", "withdrawal_rejected")

    await bench.act(ActKind.RETRY)
    await bench.come_to_rest()

    assert await states(bench) == ("withheld", "report_withdrawn")
    assert [index.is_withdrawn(submission) for submission in index.held] == [True]


async def test_a_pointer_that_the_old_record_keeps_does_not_go_into_the_new_one(bench, index):
    await published(bench)
    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.look()
    index.faults.append(Fault.REFUSED)
    await bench.send()
    await bench.come_to_rest()

    assert await states(bench) == ("set_aside", "withdrawal_rejected")
    assert [submission.entry.patient for submission in index.held] == [INS]

    await bench.act(ActKind.RETRY)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert [submission.entry.patient for submission in index.held] == [INS, OTHER_INS]
    assert [index.is_withdrawn(submission) for submission in index.held] == [True, False]


async def test_an_entry_that_could_not_be_taken_back_and_may_stay_is_replaced(bench, index):
    await published(bench)
    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.look()
    [under_way] = await bench.dispatcher.claim(1)
    await bench.tell_report(message_digest="m3", version=3)
    await bench.look()

    index.faults.append(Fault.REFUSED)
    await bench.dispatcher.send(under_way)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert [index.is_current(submission) for submission in index.held] == [False, True]
    assert index.held[1].replaces is not None
    assert index.withdrawn == []


async def test_what_is_only_unclear_stays_out(bench, index):
    await published(bench)

    await bench.tell_report(message_digest="m2", document_id="of nobody", status="D")
    await bench.come_to_rest()

    assert await states(bench) == ("set_aside", "withdrawal_unclear")
    assert index.withdrawn == []


async def test_a_person_takes_a_pointer_back_until_they_lift_it(bench, index):
    await published(bench)

    await bench.act(ActKind.WITHDRAW)
    await bench.come_to_rest()
    await bench.tell_report(message_digest="m2", version=2)
    await bench.come_to_rest()

    assert await states(bench) == ("withheld", "withdrawn_by_person")
    assert [index.is_withdrawn(submission) for submission in index.held] == [True]

    await bench.act(ActKind.LIFT)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")


async def test_the_documents_of_older_revisions_are_forgotten(bench):
    await published(bench)
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    await bench.tell_report(message_digest="m2", version=2, visibility=hidden)
    await bench.come_to_rest()

    rows = await bench.stores.database.read(
        lambda tx: tx.fetch("SELECT length(document) AS n FROM submissions ORDER BY revision")
    )

    assert [row["n"] > 0 for row in rows] == [False, True]


async def test_a_withdrawal_that_broke_off_halfway_is_not_taken_for_one_that_never_began(
    bench, index
):
    await published(bench)
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    await bench.tell_report(message_digest="m2", version=2, visibility=hidden)
    await bench.come_to_rest()
    await bench.tell_report(message_digest="m3", version=3, status="D")
    await bench.look()

    index.faults.extend([None, Fault.UNREACHABLE])
    await bench.send()
    await bench.tell_report(message_digest="m4", version=4)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert [index.is_withdrawn(submission) for submission in index.held] == [True, True, False]
