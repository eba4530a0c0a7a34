"""A storage commitment, as it is asked for and as its result is told (PS3.4 Annex J, PS3.3 §C.14).

Pure: a request goes in, and what is held makes a report of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import items, uid
from gateway.dimse.commands import NRequest
from gateway.dimse.event_reports import EventReport
from gateway.dimse.negotiation import STORAGE_COMMITMENT
from gateway.dimse.statuses import Refused, Status
from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

COMMITTED_MAX: Final = 20_000
"""Instances that one commitment may be about."""

PUSH_MODEL_INSTANCE: Final = Uid("1.2.840.10008.1.20.1.1")
"""The well-known instance that every request is addressed to (PS3.4 §J.3.5)."""
_REQUEST: Final = 1  # Action Type ID, PS3.4 Table J.3-1
_ALL_HELD, _SOME_NOT = 1, 2  # Event Type ID, PS3.4 Table J.3-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One instance that is to be kept."""

    sop_class: Uid
    instance: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentRequest:
    """What is to be kept, under the UID by which its result is known."""

    transaction: Uid
    references: tuple[Reference, ...]


def read_commitment(request: NRequest) -> CommitmentRequest:
    """What an N-ACTION asks for.

    Raises:
        Refused: it is another instance (0112) or action (0123), or what it says is bad (0115).
        InvalidRequest: the data set cannot be decoded.
    """
    if request.sop_instance != PUSH_MODEL_INSTANCE:
        raise Refused("the SOP instance is not the well-known one", Status.NO_SUCH_SOP_INSTANCE)
    if request.action_type != _REQUEST:
        raise Refused("the action is not to request a commitment", Status.NO_SUCH_ACTION)
    ds = request.data_set()
    try:
        transaction = uid(ds, "TransactionUID")
        references = tuple(map(_reference, items(ds, "ReferencedSOPSequence")))
    except InvalidValue as error:
        raise Refused(str(error), Status.INVALID_ARGUMENT_VALUE) from None
    if not references:
        raise Refused("ReferencedSOPSequence is empty", Status.INVALID_ARGUMENT_VALUE)
    if len(references) > COMMITTED_MAX:
        raise InvalidRequest(f"more than {COMMITTED_MAX} instances are named")
    return CommitmentRequest(transaction=transaction, references=references)


def build_report(request: CommitmentRequest, held: Mapping[Uid, Iterable[Uid]]) -> EventReport:
    """What its requestor is told.

    Args:
        held: of each instance whose bytes are durable here, the SOP classes that it is held as.
    """
    kept, failed = [], []
    for one in request.references:
        item = Dataset()
        item.ReferencedSOPClassUID = one.sop_class
        item.ReferencedSOPInstanceUID = one.instance
        if one.sop_class in held.get(one.instance, ()):
            kept.append(item)
            continue
        conflicts = one.instance in held
        item.FailureReason = (
            Status.CLASS_INSTANCE_CONFLICT if conflicts else Status.NO_SUCH_SOP_INSTANCE
        )
        failed.append(item)
    information = Dataset()
    information.TransactionUID = request.transaction
    if kept:
        information.ReferencedSOPSequence = kept
    if failed:
        information.FailedSOPSequence = failed
    return EventReport(
        sop_class=Uid(STORAGE_COMMITMENT),
        sop_instance=PUSH_MODEL_INSTANCE,
        event_type=_SOME_NOT if failed else _ALL_HELD,
        information=information,
    )


def _reference(item: Dataset) -> Reference:
    return Reference(
        sop_class=uid(item, "ReferencedSOPClassUID"),
        instance=uid(item, "ReferencedSOPInstanceUID"),
    )
