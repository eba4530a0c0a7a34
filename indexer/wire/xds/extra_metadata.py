"""Tells what of a submission is not kept: its sender hears XDSExtraMetadataNotSaved of it.

An attribute is kept if it is written again as it was told. What the contract has no word for is
named here by its attribute, never by its value.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from indexer.wire import hl7_values as values
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.reader import Described

UNSAVED_MAX: Final = 32
"""Attributes that a warning names; a sender who tells more is told of the first."""

_ENTRY_SLOTS: Final = {
    "creationTime",
    "hash",
    "languageCode",
    "legalAuthenticator",
    "serviceStartTime",
    "serviceStopTime",
    "size",
    "sourcePatientId",
    "sourcePatientInfo",
    "submissionTime",  # the agency's sample repeats that of the set
    names.REFERENCE_ID_LIST,
}
_AUTHOR_SLOTS: Final = {"authorInstitution", "authorPerson", "authorRole", "authorSpecialty"}
_SEVERAL: Final = {
    "authorInstitution",
    "authorRole",
    "authorSpecialty",
    "sourcePatientInfo",
    names.REFERENCE_ID_LIST,
}
_ENTRY_CODES: Final = {
    names.CLASS_CODE: "classCode",
    names.FACILITY_CODE: "healthcareFacilityTypeCode",
    names.FORMAT_CODE: "formatCode",
    names.PRACTICE_SETTING_CODE: "practiceSettingCode",
    names.TYPE_CODE: "typeCode",
}
_ENTRY_SCHEMES: Final = frozenset(
    {
        names.AUTHOR,
        names.CONFIDENTIALITY_CODE,
        names.EVENT_CODE,
        names.PATIENT_ID,
        names.UNIQUE_ID,
        *_ENTRY_CODES,
    }
)
_SET_SCHEMES: Final = frozenset(
    {
        "",  # the node that makes it a submission set
        names.SET_AUTHOR,
        names.SET_CONTENT_TYPE,
        names.SET_PATIENT_ID,
        names.SET_SOURCE_ID,
        names.SET_UNIQUE_ID,
    }
)
_SLOT_NAME = re.compile(r"[A-Za-z0-9:._-]{1,64}", re.ASCII)
_FIELD = re.compile(r"PID-\d{1,2}", re.ASCII)


def unsaved(objects: Iterable[Described]) -> list[str]:
    """The attributes that a request tells and an index does not keep, each once."""
    told = (name for one in objects for name in _OF_KIND[one.element.tag](one))
    return list(dict.fromkeys(told))[:UNSAVED_MAX]


def _of_entry(told: Described) -> Iterator[str]:
    yield from _of_slots(told, _ENTRY_SLOTS)
    yield from _of_texts(told)
    for scheme, name in _ENTRY_CODES.items():
        if len(told.classifications(scheme)) > 1:
            yield f"a second {name}"
    yield from _of_schemes(told, _ENTRY_SCHEMES)
    for author in told.classifications(names.AUTHOR):
        yield from _of_slots(author, _AUTHOR_SLOTS)
    if any(values.read_reference(one) is None for one in told.values(names.REFERENCE_ID_LIST)):
        yield "a reference id of another kind"
    yield from _of_patient(told.values("sourcePatientInfo"))


def _of_set(told: Described) -> Iterator[str]:
    yield from _of_slots(told, {"submissionTime"})
    yield from _of_texts(told)
    yield from _of_schemes(told, _SET_SCHEMES)
    if len(told.classifications(names.SET_CONTENT_TYPE)) > 1:
        yield "a second contentTypeCode"
    for number, author in enumerate(told.classifications(names.SET_AUTHOR)):
        if number > 0:
            yield "a second author of the submission set"
        yield from _of_slots(author, {"authorInstitution", "authorPerson"})
        if len(author.values("authorInstitution")) > 1:
            yield "a second authorInstitution of the submission set"


def _of_association(told: Described) -> Iterator[str]:
    yield from _of_slots(told, {"SubmissionSetStatus"})
    if told.text("Name") or told.text("Description"):
        yield "the name of an association"
    yield from _of_schemes(told, frozenset())


_OF_KIND: Final[dict[str, Callable[[Described], Iterator[str]]]] = {
    f"{{{names.RIM}}}Association": _of_association,
    f"{{{names.RIM}}}ExtrinsicObject": _of_entry,
    f"{{{names.RIM}}}ObjectRef": lambda _: iter(()),
    f"{{{names.RIM}}}RegistryPackage": _of_set,
}


def _of_slots(told: Described, known: set[str]) -> Iterator[str]:
    """Slots that nothing here is kept of, and values that are not kept as they are."""
    for name in told.slots:
        if name not in known:
            yield name if _SLOT_NAME.fullmatch(name) else "a slot"
            continue
        found = told.values(name)
        if len(found) > 1 and name not in _SEVERAL:
            yield f"a second {name}"
        is_whole = _IS_WHOLE.get(name)
        if is_whole is not None and not all(map(is_whole, found)):
            yield f"a part of {name}"


@lru_cache(maxsize=256)  # a submission tells the same few again and again
def _is_whole_organisation(text: str) -> bool:
    return _holds(values.write_organisation(values.read_organisation(text)), text)


@lru_cache(maxsize=256)
def _is_whole_person(text: str) -> bool:
    return _holds(values.write_person(values.read_person(text)), text)


def _is_whole_local_patient(text: str) -> bool:
    return _holds(values.write_local_patient(values.read_local_patient(text)), text)


_IS_WHOLE: Final[dict[str, Callable[[str], bool]]] = {
    "authorInstitution": _is_whole_organisation,
    "authorPerson": _is_whole_person,
    "legalAuthenticator": _is_whole_person,
    "sourcePatientId": _is_whole_local_patient,
}
"""Whether all that a value tells is kept."""


def _of_schemes(told: Described, known: frozenset[str]) -> Iterator[str]:
    if not known.issuperset(told.schemes):
        yield "a classification or an identifier of another scheme"


def _of_texts(told: Described) -> Iterator[str]:
    for tag, name in (("Name", "title"), ("Description", "comments")):
        if told.languages(tag) > 1:
            yield f"{name} in a second language"


def _of_patient(fields: Iterable[str]) -> Iterator[str]:
    """Traits of sourcePatientInfo other than those of an identity (PID-5, PID-7, PID-8)."""
    kept = values.write_traits(values.read_traits(fields))
    for field in fields:
        if field not in kept and not any(_holds(one, field) for one in kept):
            name = _FIELD.match(field)
            yield f"{name[0] if name else 'a field'} of sourcePatientInfo"


def _holds(kept: str, told: str) -> bool:
    """Whether each component that is told stands at its place in what is kept."""
    if kept == told:
        return True
    ours, theirs = (re.split(r"[\^&]", one) for one in (kept, told))
    return all(one == other or not other for one, other in zip_longest(ours, theirs, fillvalue=""))
