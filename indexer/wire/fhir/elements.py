"""The parts that FHIR resources share: written without empty elements, read with a reason.

FHIR forbids empty elements (R4 §2.6.2), while the contract uses empty texts for what is unknown:
`compact` leaves them out, and the readers put them back.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

import pybase64

from indexer.contract.document import Code, Identifier
from indexer.contract.errors import InvalidValue
from indexer.wire.fhir.known import knowing_again
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.vocabulary import IDENTIFIER_TYPES, OID_PREFIX, URI_SYSTEM, UUID_PREFIX

T = TypeVar("T")

_OID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

UNSIGNED_MAX = 2**31 - 1  # FHIR R4 unsignedInt


class Element:
    """A JSON object within a resource.

    Args:
        value: what should be the object.
        name: what `parent` calls it; its whole path where it has none.
        number: its place, where `parent` has a list of them.

    Raises:
        Refusal: it is no object.
    """

    __slots__ = ("_name", "_number", "_parent", "fields")

    def __init__(
        self,
        value: object,
        name: str,
        parent: "Element | None" = None,
        number: int | None = None,
    ) -> None:
        self._name = name
        self._parent = parent
        self._number = number
        if not isinstance(value, dict):
            raise Refusal(
                f"{self.path} is no object", code=IssueCode.STRUCTURE, expression=self.path
            )
        self.fields: Json = value

    @property
    def path(self) -> str:
        """Its path in the resource, which a refusal names: put together then, for few are."""
        name = self._name if self._number is None else f"{self._name}[{self._number}]"
        return name if self._parent is None else self._parent.at(name)

    def at(self, name: str) -> str:
        """Path of one of its elements."""
        return f"{self.path}.{name}"

    def has(self, name: str) -> bool:
        return name in self.fields

    def forbid(self, *names: str) -> None:
        """Refuse elements that the profile excludes."""
        for name in names:
            if name in self.fields:
                raise self.refuse(name, "is not allowed here", IssueCode.NOT_SUPPORTED)

    def expect(self, name: str, *allowed: str) -> None:
        """Refuse any other value than the ones allowed."""
        if self.text(name) not in allowed:
            raise self.refuse(name, f"is not {' or '.join(allowed)}", IssueCode.VALUE)

    def refuse(self, name: str, what: str, code: IssueCode) -> Refusal:
        """The refusal that says what is wrong with one of its elements."""
        path = self.at(name)
        return Refusal(f"{path} {what}", code=code, expression=path)

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.fields.get(name)
        # Asked first what nearly all are: a submission is asked for a hundred and fifty.
        if type(value) is str and value and "\x00" not in value:
            return value
        if value is None:
            raise self.refuse(name, "is missing", IssueCode.REQUIRED)
        if not isinstance(value, str):
            raise self.refuse(name, "is no text", IssueCode.STRUCTURE)
        raise self.refuse(name, "is empty or holds a NUL", IssueCode.VALUE)

    def text_or_empty(self, name: str) -> str:
        return self.text(name) if name in self.fields else ""

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """A text that must be there and be what `parse` makes of it."""
        try:
            return parse(self.text(name))
        except InvalidValue as error:
            if isinstance(error, Refusal):
                raise
            raise self.refuse(name, f"is refused: {error}", IssueCode.VALUE) from error

    def unsigned(self, name: str) -> int:
        value = self.fields.get(name)
        if value is None:
            raise self.refuse(name, "is missing", IssueCode.REQUIRED)
        if type(value) is not int or not 0 <= value <= UNSIGNED_MAX:
            raise self.refuse(name, "is no unsignedInt", IssueCode.VALUE)
        return value

    def moment(self, name: str) -> datetime:
        """An instant that must be there, in UTC."""
        return self.parsed(name, read_moment)

    def moment_or_none(self, name: str) -> datetime | None:
        return self.moment(name) if name in self.fields else None

    def child(self, name: str) -> "Element":
        """An object that must be there."""
        if name not in self.fields:
            raise self.refuse(name, "is missing", IssueCode.REQUIRED)
        return Element(self.fields[name], name, self)

    def children(self, name: str) -> "list[Element]":
        """The objects of a list, which may be absent."""
        if name not in self.fields:
            return []
        value = self.fields[name]
        if not isinstance(value, list):
            raise self.refuse(name, "is no list", IssueCode.STRUCTURE)
        if len(value) == 1:  # as most have
            return [Element(value[0], name, self, 0)]
        return [Element(one, name, self, number) for number, one in enumerate(value)]

    def only_child(self, name: str) -> "Element":
        """The object of a list that must hold exactly one."""
        value = self.fields.get(name)
        if type(value) is list and len(value) == 1:
            return Element(value[0], name, self, 0)
        found = self.children(name)
        if len(found) != 1:
            code = IssueCode.NOT_SUPPORTED if found else IssueCode.REQUIRED
            raise self.refuse(name, f"must be one, not {len(found)}", code)
        return found[0]

    def texts(self, name: str) -> list[str]:
        """The texts of a list, which may be absent."""
        value = self.fields.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.refuse(name, "is no list of texts", IssueCode.STRUCTURE)
        if any(not one or "\x00" in one for one in value):
            raise self.refuse(name, "is empty or holds a NUL", IssueCode.VALUE)
        return value


def compact(**fields: object) -> Json:
    """The fields without those that are empty."""
    return {name: value for name, value in fields.items() if value or value == 0}


@lru_cache(maxsize=256)  # a centre names the same few in each document
def write_system(scheme: str) -> str:
    """The URI of a code system or authority that the contract names by OID or URI."""
    return OID_PREFIX + scheme if _OID.fullmatch(scheme) else scheme


def read_system(system: str) -> str:
    """The contract's name of a system: the OID alone where it is one."""
    return system.removeprefix(OID_PREFIX)


def coding(code: Code) -> Json:
    return compact(system=write_system(code.scheme), code=code.code, display=code.display)


@knowing_again
def read_coding(element: Element) -> Code:
    return Code(
        code=element.text("code"),
        scheme=read_system(element.text_or_empty("system")),
        display=element.text_or_empty("display"),
    )


def concept(code: Code) -> Json:
    return {"coding": [coding(code)]}


@knowing_again
def read_concept(element: Element) -> Code:
    """The one coding of a concept: an XDS attribute holds a single code."""
    return read_coding(element.only_child("coding"))


def identifier(value: Identifier) -> Json:
    kind = {"coding": [{"system": IDENTIFIER_TYPES, "code": value.kind}]} if value.kind else {}
    return compact(type=kind, system=write_system(value.authority), value=value.value)


def read_identifier(element: Element) -> Identifier:
    return Identifier(
        value=element.text("value"),
        authority=read_system(element.text_or_empty("system")),
        kind=_read_kind(element),
    )


def _read_kind(element: Element) -> str:
    if not element.has("type"):
        return ""
    for one in element.child("type").children("coding"):
        if one.text_or_empty("system") == IDENTIFIER_TYPES:
            return one.text("code")
    return ""


def uri_identifier(uri: str, *, use: str) -> Json:
    """An identifier that is a URI: `usual` for a unique id, `official` for an entryUUID (MHD)."""
    return {"use": use, "system": URI_SYSTEM, "value": uri}


def read_uri_oid(text: str) -> str:
    """The OID of a `urn:oid:`.

    Raises:
        InvalidValue: it is none.
    """
    if not text.startswith(OID_PREFIX):
        raise InvalidValue("not a urn:oid")
    return text.removeprefix(OID_PREFIX)


def read_uuid(text: str) -> str:
    """A UUID in lower case, without its urn.

    Raises:
        InvalidValue: it is none.
    """
    uuid = text.removeprefix(UUID_PREFIX).lower()
    if not _UUID.fullmatch(uuid):
        raise InvalidValue("not a UUID")
    return uuid


def uris_with(prefix: str, identifiers: list[Element]) -> Iterator[Element]:
    """The identifiers that are URIs of one kind."""
    for one in identifiers:
        if one.text_or_empty("system") == URI_SYSTEM and one.text("value").startswith(prefix):
            yield one


def read_base64(text: str) -> bytes:
    """The bytes of a base64Binary.

    Raises:
        InvalidValue: it is none.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidValue("not base64") from error


def write_moment(moment: datetime) -> str:
    """A dateTime in UTC; XDS has no other zone (ITI TF-3 §4.2.3.1, DTM)."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def version_of(number: int, moment: datetime) -> Json:
    """What a resource's meta tells of the version that it is in."""
    return {"versionId": str(number), "lastUpdated": write_moment(moment)}


def read_moment(text: str) -> datetime:
    """A dateTime with its zone, in UTC.

    Raises:
        InvalidValue: it is a date alone, has no zone, or names no moment.
    """
    if not _DATE_TIME.fullmatch(text):
        raise InvalidValue("not a date and time with its zone")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValue("no such moment") from error
