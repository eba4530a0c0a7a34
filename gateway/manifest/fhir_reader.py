"""Reads manifests that are FHIR document Bundles in JSON (IHE RAD MADO), of any writer.

IHE's samples are no strict FHIR: they refer by `urn:Endpoint/…`, and go by an identifier that is no
OID. So a reference is compared as text with what a resource is called, and nothing is resolved.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import orjson

from gateway.errors import InvalidRequest
from gateway.manifest import values
from gateway.manifest.concepts import scheme_of
from gateway.manifest.fhir_times import read_instant, read_moment
from gateway.manifest.limits import address, ensure_listed, series_address
from gateway.manifest.mado_fhir import DICOM_UID, NO_ADDRESS, PROFILE, STUDY_ID
from gateway.manifest.model import (
    NOTHING,
    Manifest,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Request,
    Selection,
)
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

Json = dict[str, object]

ENTRIES_MAX: Final = 1000

_SEXES: Final = {"male": "M", "female": "F", "other": "O"}


def read_fhir(data: bytes) -> Manifest:
    """The manifest in a Bundle.

    Raises:
        InvalidRequest: it is none, or larger than is read.
        InvalidValue: a UID is none.
    """
    try:
        bundle = orjson.loads(data)
    except orjson.JSONDecodeError:  # its words quote the document
        raise InvalidRequest("the manifest is no JSON, or is cut off") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise InvalidRequest("no manifest: not a Bundle")
    return _Reader(bundle).manifest()


class _Reader:
    """The resources of one Bundle, by what they are called."""

    def __init__(self, bundle: Json) -> None:
        entries = _items(bundle, "entry")
        if len(entries) > ENTRIES_MAX:
            raise InvalidRequest(f"the manifest has more than {ENTRIES_MAX} resources")
        self._bundle = bundle
        self._resources = [_child(one, "resource") for one in entries]
        self._called: dict[str, Json] = {}
        for entry, resource in zip(entries, self._resources, strict=True):
            self._called[_text(entry, "fullUrl")] = resource
            self._called[f"{_text(resource, 'resourceType')}/{_text(resource, 'id')}"] = resource

    def manifest(self) -> Manifest:
        studies = self._of_type("ImagingStudy")
        if len(studies) != 1:
            raise InvalidRequest("no manifest: it describes no study, or several")
        [study] = studies
        uid = _study_uid(study)
        listed = _items(study, "series")
        ensure_listed(sum(len(_items(one, "instance")) for one in listed))
        date, time = read_moment(_text(study, "started"))
        return Manifest(
            identifier=_bare(_text(_child(self._bundle, "identifier"), "value")),
            study=uid,
            patient=self._patient(study),
            study_date=date,
            study_time=time,
            description=_text(study, "description"),
            study_id=_study_id(study),
            referring_physician=_text(_child(study, "referrer"), "display"),
            requests=self._requests(study),
            acts=tuple(_concepts(study, "procedureCode")),
            regions=tuple(_extended(study, "MadoAnatomicalRegionExtension")),
            series=tuple(self._series(one, uid) for one in listed),
            made_at=self._made_at(),
            organisation=self._organisation(),
            manufacturer=next((_text(one, "manufacturer") for one in self._of_type("Device")), ""),
            display_uri=self._display_uri(study),
        )

    def _of_type(self, name: str) -> list[Json]:
        return [one for one in self._resources if one.get("resourceType") == name]

    def _referred(self, element: Json, key: str) -> Iterator[Json]:
        for one in _items(element, key):
            if (found := self._called.get(_text(one, "reference"))) is not None:
                yield found

    def _patient(self, study: Json) -> ManifestPatient:
        found = next(self._referred(study, "subject"), {})
        names = [_name(one) for one in _items(found, "name")]
        ids = (_identifier(one) for one in _items(found, "identifier"))
        return ManifestPatient(
            ids=tuple(dict.fromkeys(one for one in ids if one.value)),
            name=names[0] if names else "",
            other_names=tuple(one for one in names[1:] if one),
            birth_date=read_moment(_text(found, "birthDate"))[0],
            sex=_SEXES.get(_text(found, "gender"), ""),
        )

    def _requests(self, study: Json) -> tuple[Request, ...]:
        """The orders; where none of them is in the Bundle, what the references say of them."""
        orders = list(self._referred(study, "basedOn")) or _items(study, "basedOn")
        told = (_request(one) for one in orders)
        return tuple(one for one in told if one != Request())

    def _series(self, one: Json, study: Uid) -> ManifestSeries:
        uid = Uid(_text(one, "uid"))
        date, time = read_moment(_text(one, "started"))
        retrieve_url, location_uid = self._place(one)
        return ManifestSeries(
            series=uid,
            modality=values.code_string(_text(_child(one, "modality"), "code")),
            number=_number(one, "number"),
            description=_text(one, "description"),
            date=date,
            time=time,
            region=_code(_child(one, "bodySite")),
            retrieve_url=series_address(retrieve_url, study, uid),
            location_uid=location_uid,
            instances=tuple(_instance(each) for each in _items(one, "instance")),
        )

    def _place(self, series: Json) -> tuple[str, str]:
        """Where the series can be had: an address, and what names the gateway for good."""
        for one in self._referred(series, "endpoint"):
            told = _text(one, "address")
            named = _extensions(one, "MadoRetrieveLocationUIDExtension")
            location = next((_text(each, "valueString") for each in named), "")
            return "" if told == NO_ADDRESS else address(told), location
        return "", ""

    def _made_at(self) -> datetime | None:
        dates = [_text(one, "date") for one in self._of_type("Composition")]
        moments = (read_instant(one) for one in (*dates, _text(self._bundle, "timestamp")))
        return next((one for one in moments if one is not None), None)

    def _organisation(self) -> Organisation:
        found = next(iter(self._of_type("Organization")), {})
        numbers = (_text(one, "value") for one in _items(found, "identifier"))
        return Organisation(number=next(numbers, ""), name=_text(found, "name"))

    def _display_uri(self, study: Json) -> str:
        told = (address(_text(one, "address")) for one in self._referred(study, "endpoint"))
        return next((one for one in told if one), "")


def _study_uid(study: Json) -> Uid:
    told = _items(study, "identifier")
    uids = (_text(one, "value") for one in told if _text(one, "system") == DICOM_UID)
    return Uid(_bare(next(uids, "")))


def _study_id(study: Json) -> str:
    told = _items(study, "identifier")
    named = (one for one in told if _text(_child(one, "type"), "text") == STUDY_ID)
    return next((_text(one, "value") for one in named), "")


def _instance(one: Json) -> ManifestInstance:
    counts = _extensions(one, "MadoNumberOfFrames")
    frames = next((_number(each, "valueInteger") for each in counts), "")
    title = next(_extended(one, "MadoKeyObjectDocumentTitle"), None)
    sop_class = Uid(_bare(_text(_child(one, "sopClass"), "code")))
    text = _text(one, "title") if sop_class == KEY_OBJECTS else ""
    return ManifestInstance(
        instance=Uid(_text(one, "uid")),
        sop_class=sop_class,
        number=_number(one, "number"),
        frames=int(frames) if frames and int(frames) > 0 else None,
        selection=Selection(title=title, text=text) if title is not None or text else None,
    )


def _request(order: Json) -> Request:
    """The numbers of an order; of a reference to one, that of its logical identifier."""
    accession = placer = NOTHING
    for one in _items(order, "identifier"):
        codes = {_text(coding, "code") for coding in _items(_child(one, "type"), "coding")}
        if codes & {"ACSN", "121022"}:
            accession = _identifier(one)
        elif "PLAC" in codes:
            placer = _identifier(one)
    return Request(accession=accession, order=placer)


def _identifier(told: Json) -> Identifier:
    return Identifier(value=_text(told, "value"), authority=scheme_of(_text(told, "system")))


def _name(told: Json) -> str:
    given = " ".join(_texts(told, "given"))
    return values.two_names(f"{values.component(_text(told, 'family'))}^{values.component(given)}")


def _concepts(element: Json, key: str) -> Iterator[Code]:
    for one in _items(element, key):
        text = _text(one, "text")
        code = next((found for each in _items(one, "coding") if (found := _code(each))), None)
        if code is not None:
            yield code
        elif text:
            yield Code(code="", scheme="", display=text)


def _extended(element: Json, name: str) -> Iterator[Code]:
    """The codes of an extension of MADO."""
    for one in _extensions(element, name):
        yield from _concepts(one, "valueCodeableConcept")


def _extensions(element: Json, name: str) -> Iterator[Json]:
    url = f"{PROFILE}/{name}"
    return (one for one in _items(element, "extension") if _text(one, "url") == url)


def _code(coding: Json) -> Code | None:
    value = _text(coding, "code")
    if not value:
        return None
    return Code(
        code=value, scheme=scheme_of(_text(coding, "system")), display=_text(coding, "display")
    )


def _bare(uri: str) -> str:
    return uri.removeprefix("urn:oid:")


def _items(element: Json, key: str) -> list[Json]:
    """The objects of a list; one that stands where a list should is a list of one."""
    value = element.get(key)
    several = value if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, dict)]


def _child(element: Json, key: str) -> Json:
    value = element.get(key)
    return value if isinstance(value, dict) else {}


def _text(element: Json, key: str) -> str:
    value = element.get(key)
    return value if isinstance(value, str) else ""


def _texts(element: Json, key: str) -> list[str]:
    value = element.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _number(element: Json, key: str) -> str:
    value = element.get(key)
    return values.number(str(value)) if isinstance(value, int) and value is not True else ""
