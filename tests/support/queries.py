"""Stored queries (ITI-18) for whole objects of Anne's record, as their reader gives them."""

from collections.abc import Iterable, Mapping

from indexer.contract.document import EntryStatus
from indexer.contract.document_set import Relation
from indexer.wire.hl7_values import write_patient
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import ENTRY, SET, QueryKind, StoredQuery
from tests.support.pointers import ANNE


def a_query(
    kind: QueryKind,
    *,
    statuses: Iterable[EntryStatus] = (EntryStatus.APPROVED,),
    entries: Iterable[str] = (),
    sets: Iterable[str] = (),
    objects: Iterable[str] = (),
    relations: Iterable[Relation] = (),
) -> StoredQuery:
    """The query of what is named by its ids, or, where nothing is, of the whole record."""
    told: Mapping[str, list[str]] = {
        f"{ENTRY}EntryUUID": _urns(entries),
        f"{SET}EntryUUID": _urns(sets),
        "$uuid": _urns(objects),
        "$AssociationTypes": [names.ASSOCIATION_TYPES[one] for one in relations],
    }
    if kind in (QueryKind.FIND_DOCUMENTS, QueryKind.GET_ALL):
        patient = f"{ENTRY}PatientId" if kind is QueryKind.FIND_DOCUMENTS else "$patientId"
        asked = [names.STATUSES[one] for one in statuses]
        told = {patient: [write_patient(ANNE)], f"{ENTRY}Status": asked}
    if kind is QueryKind.GET_ALL:
        told = {**told, f"{SET}Status": asked, "$XDSFolderStatus": asked}
    return StoredQuery(kind, True, {name: [values] for name, values in told.items() if values})


def _urns(ids: Iterable[str]) -> list[str]:
    return [names.UUID + one for one in ids]
