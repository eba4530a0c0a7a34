"""What an answer to a search tells of a study, a series or an instance, as members of a JSON
object: one a line, so that an answer is made of lines, without a value being read again."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, cast

import orjson
from pydicom.datadict import dictionary_VR

from gateway.dicomweb.attributes import ATTRIBUTES, SearchLevel, tag_of
from gateway.dicomweb.dicom_json import JsonDataSet, element
from gateway.dicomweb.matching import normal_number
from gateway.model.image import ImageDescription
from gateway.storage.database import Param

_CHARACTER_SET: Final = "ISO_IR 192"
_TOLD: Final = {
    level: tuple(
        (one.keyword, one.tag, one.vr, one.empty)
        for one in ATTRIBUTES
        if one.level is level and not one.within
    )
    for level in SearchLevel
}

_OF_INSTANCE: Final = {
    "SOPClassUID": "sop_class",
    "SOPInstanceUID": "instance",
    "InstanceNumber": "instance_number",
    "NumberOfFrames": "frames",
    "Rows": "rows",
    "Columns": "columns",
    "BitsAllocated": "bits_allocated",
}
"""Fields of an image's record."""

Members = dict[bytes, bytes]
"""A member by its tag in eight hexadecimal digits."""


def texts_of(image: ImageDescription) -> dict[str, str]:
    """What is told of an instance, its study and its series, by DICOM keyword; `instance_texts` has
    what is told of the instance alone."""
    patient = image.patient
    return {
        "StudyDate": image.study_date,
        "StudyTime": image.study_time,
        "AccessionNumber": image.accession.value,
        "ReferringPhysicianName": image.referring_physician,
        "StudyDescription": image.study_description,
        "PatientName": patient.name,
        "PatientID": patient.local_id.value,
        "PatientBirthDate": patient.birth_date,
        "PatientSex": patient.sex,
        "StudyID": image.study_id,
        "Modality": image.modality,
        "SeriesDescription": image.series_description,
        "SeriesInstanceUID": image.series,
        "SeriesNumber": image.series_number,
        "SOPInstanceUID": image.instance,
        **image.more,
    }


def instance_texts(header: Param, answer: Param) -> dict[str, str]:
    """What is told of an instance alone, from the records of its row; as `KnownImage.description`
    has it, without making the values, of which a page may hold a thousand."""
    records = [orjson.loads(cast(bytes, one)) for one in (header, answer) if one is not None]
    texts: dict[str, str] = {}
    for record in records:
        texts |= record.get("more", {})
        for keyword, field in _OF_INSTANCE.items():
            if record.get(field) not in ("", None):
                texts[keyword] = str(record[field])
    return dict.fromkeys(_OF_INSTANCE, "") | texts


def write_members(level: SearchLevel, texts: Mapping[str, str]) -> bytes:
    """The lines of what texts tell at a level; what must stand in an answer stands there empty."""
    lines = []
    for keyword, tag, vr, is_empty_told in _TOLD[level]:
        text = texts.get(keyword, "")
        if text or (is_empty_told and keyword in texts):
            lines.append(member(tag, _attribute(vr, text)))
    timezone = texts.get("TimezoneOffsetFromUTC", "")
    if timezone and level is not SearchLevel.STUDIES:
        lines.append(member(_TIMEZONE, element("SH", timezone)))
    return b"\n".join(lines)


def read_members(*told: bytes) -> Members:
    """The members of lines; what a later one tells stands in place of an earlier."""
    return {line[1:9]: line for lines in told for line in lines.split(b"\n") if line}


def member(tag: str, attribute: Mapping[str, Any]) -> bytes:
    """One member of the object."""
    return b'"%s":%s' % (tag.encode("ascii"), orjson.dumps(attribute))


def put(members: Members, keyword: str, *values: Any) -> None:
    """Add what is told of an attribute beside its text."""
    tag, vr = _place(keyword)
    members[tag.encode("ascii")] = member(tag, element(vr, *values))


def write_object(members: Members, tags: Iterable[bytes]) -> bytes:
    """The JSON object of those members that have these tags, in ascending order (PS3.18 §F.2.2)."""
    return b"{%s}" % b",".join([members[tag] for tag in sorted(members.keys() & tags)])


_TIMEZONE: Final = tag_of("TimezoneOffsetFromUTC")


@cache
def _place(keyword: str) -> tuple[str, str]:
    return tag_of(keyword), dictionary_VR(keyword)


def _attribute(vr: str, text: str) -> dict[str, Any]:
    if vr == "SQ":
        return element(vr, *(_item(one) for one in orjson.loads(text)))
    return element(vr, *(_value(vr, part.strip()) for part in text.split("\\")))


def _item(texts: Mapping[str, str]) -> JsonDataSet:
    tags = {tag_of(keyword): keyword for keyword in texts}
    return {
        tag: _attribute(dictionary_VR(keyword), texts[keyword])
        for tag, keyword in sorted(tags.items())
    }


def _value(vr: str, text: str) -> Any:
    return normal_number(text) if vr in ("IS", "US") else text or None
