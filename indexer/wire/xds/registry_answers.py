"""Reads the answers of XDS.b: what became of a request, what was found, what was retrieved.

Of an error its code alone is kept, and the word with which an index of ours begins its context:
the rest may name a patient.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.errors import InvalidValue
from indexer.contract.record import RecordState
from indexer.wire.fhir.elements import read_uuid
from indexer.wire.outcome import XdsError, is_forbidden, read_no_record_word
from indexer.wire.soap.mtom import Package
from indexer.wire.vocabulary import OID_PREFIX
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.document_set_reader import read_status
from indexer.wire.xds.reader import Described, read_entry
from indexer.wire.xds.registry_messages import SUCCESS
from indexer.wire.xml import Element

UNNAMED: Final = "unnamed"
"""Stands for an error code that is none: it is logged, and shown to operators."""

_CODE = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_RESPONSE: Final = f"{{{names.RS}}}RegistryResponse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request."""

    success: bool
    codes: tuple[str, ...] = ()
    """Of errors, in their order; warnings are left out."""
    record: RecordState | None = None
    """Why there is no record to do it in, if that is what an error says."""
    forbidden: bool = False
    """An error says that who asks may not."""


def read_registry_response(body: Element) -> Outcome:
    """The outcome that ITI-41 or ITI-57 answers.

    Raises:
        InvalidValue: it is no such answer.
    """
    if body.tag != _RESPONSE:
        raise InvalidValue("the body is no RegistryResponse")
    return _outcome(body)


def read_query_response(body: Element) -> tuple[Outcome, Element]:
    """The outcome of a stored query, and its list of objects.

    Raises:
        InvalidValue: it is no such answer.
    """
    if body.tag != f"{{{names.QUERY}}}AdhocQueryResponse":
        raise InvalidValue("the body is no AdhocQueryResponse")
    outcome, objects = _outcome(body), body.find(f"{{{names.RIM}}}RegistryObjectList")
    if objects is None and outcome.success:
        raise InvalidValue("the answer has no list of objects")
    return outcome, body if objects is None else objects


def read_retrieve_response(body: Element, package: Package) -> tuple[Outcome, list[bytes]]:
    """The outcome of ITI-43, and the documents that came.

    Raises:
        InvalidValue: it is no such answer, or a document is not with it.
    """
    response = body.find(_RESPONSE)
    if body.tag != f"{{{names.XDS}}}RetrieveDocumentSetResponse" or response is None:
        raise InvalidValue("the body is no RetrieveDocumentSetResponse")
    path = f"{{{names.XDS}}}DocumentResponse/{{{names.XDS}}}Document"
    contents = [package.content(one) for one in body.iterfind(path)]
    given = [one for one in contents if one is not None]
    if len(given) < len(contents):
        raise InvalidValue("a document's part is missing")
    return _outcome(response), given


def read_ids(objects: Element) -> list[str]:
    """The ids of documents that a query found.

    Raises:
        InvalidValue: one is no UUID.
    """
    return [
        read_uuid(one.get("id", "")) for one in objects.iterchildren(f"{{{names.RIM}}}ObjectRef")
    ]


def extrinsic_objects(objects: Element) -> Iterator[Element]:
    """The documents that a query found, as they are described."""
    return objects.iterchildren(f"{{{names.RIM}}}ExtrinsicObject")


def read_held_entry(element: Element) -> DocumentEntry:
    """An entry as a registry holds it; its address is the URN of its repository.

    Raises:
        InvalidValue: an attribute is missing or malformed.
    """
    told = Described(element)
    named = element.get("status", "")
    status = EntryStatus.APPROVED if named == names.ARCHIVED else read_status(named)
    if status is None:
        raise InvalidValue("the status is none that is known here")
    return replace(
        read_entry(told),
        entry_id=read_uuid(told.name),
        status=status,
        document_url=OID_PREFIX + told.value("repositoryUniqueId"),
    )


def _outcome(response: Element) -> Outcome:
    errors = response.iterfind(f"{{{names.RS}}}RegistryErrorList/{{{names.RS}}}RegistryError")
    told = [one for one in errors if not one.get("severity", "").endswith(":Warning")]
    codes = [one.get("errorCode", "").strip() for one in told]
    return Outcome(
        success=response.get("status") == SUCCESS and not told,
        codes=tuple(code if _CODE.fullmatch(code) else UNNAMED for code in codes),
        record=next((state for one in told if (state := _record(one)) is not None), None),
        forbidden=any(is_forbidden(one.get("codeContext", "")) for one in told),
    )


def _record(error: Element) -> RecordState | None:
    """What an error says of the record; who knows no words of ours means that there is none."""
    found = read_no_record_word(error.get("codeContext", ""))
    unknown = error.get("errorCode", "").strip() == XdsError.UNKNOWN_PATIENT
    return RecordState.ABSENT if found is None and unknown else found
