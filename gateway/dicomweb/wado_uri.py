"""Reads what WADO-URI asks for (PS3.18 §9): an instance as it is, or a picture of it.

Which of the two is told by the media type (§9.3). What belongs to the other is refused, and so is
what this parameter or that rules out; parameters that nobody knows are passed over.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.dicomweb.accept import MediaRange, parse_accept
from gateway.dicomweb.charsets import ensure_utf_8
from gateway.dicomweb.negotiation import DICOM
from gateway.errors import InvalidRequest, NotAcceptable
from gateway.model.resource import Resource
from gateway.pixels.geometry import SIDE_MAX, Portion
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

T = TypeVar("T")

PARAMETERS_MAX: Final = 64
DEFAULT_PICTURE: Final = "image/jpeg"
"""Of who names no type and takes any (PS3.18 §9.3)."""
ANNOTATIONS: Final = frozenset({"patient", "technique"})

_MANDATORY: Final = ("requestType", "studyUID", "seriesUID", "objectUID")
_OF_INSTANCES: Final = ("transferSyntax",)
_OF_PICTURES: Final = (
    "frameNumber", "rows", "columns", "region", "windowCenter", "windowWidth",
    "presentationSeriesUID", "presentationUID",
)  # fmt: skip
_OF_BOTH: Final = (
    "contentType", "charset", "anonymize", "annotation", "imageAnnotation", "imageQuality",
)  # fmt: skip
_KNOWN: Final = frozenset((*_MANDATORY, *_OF_INSTANCES, *_OF_PICTURES, *_OF_BOTH))

_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL: Final = re.compile(
    r"[+-]?([0-9]{1,16}(\.[0-9]{0,16})?|\.[0-9]{1,16})([eE][+-]?[0-9]{1,2})?", re.ASCII
)
_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInstance:
    """An instance as a DICOM file (PS3.18 §9.4)."""

    resource: Resource
    transfer_syntax: Uid | None
    """None for the default of the web."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPicture:
    """An instance in a form that browsers show (PS3.18 §9.5)."""

    resource: Resource
    kinds: tuple[str, ...]
    """Media types that are taken, the most wanted first; some with wildcards."""
    frame: int | None = None
    """Counted from 1."""
    rows: int | None = None
    """At most; likewise `columns`."""
    columns: int | None = None
    region: Portion | None = None
    window: tuple[float, float] | None = None
    """Center and width."""
    quality: int | None = None
    annotation: frozenset[str] = frozenset()
    unknown_annotations: tuple[str, ...] = ()
    presentation: Resource | None = None
    """The presentation state to show it by."""


Wanted = WantedInstance | WantedPicture


def read_wanted(parameters: Iterable[tuple[str, str]], accept: str | None) -> Wanted:
    """What a request asks for.

    Args:
        parameters: of the query, in their order, percent-decoded.
        accept: the Accept header; without one, anything is taken.

    Raises:
        InvalidRequest: a parameter is missing, given twice, or not as its rule says.
        NotAcceptable: it asks for what is not done here.
    """
    given = _once(parameters)
    resource = _resource(given)
    kinds = _kinds(given.get("contentType"), accept)
    _refuse_anonymization(given)
    if kinds == (DICOM,):
        _refuse(given, _OF_PICTURES, "an instance that is asked for as application/dicom")
        syntax = _read(given, "transferSyntax", _uid_of("transferSyntax"))
        return WantedInstance(resource=resource, transfer_syntax=syntax)
    _refuse(given, _OF_INSTANCES, "a picture")
    return _picture(given, resource, kinds)


def _once(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for count, (name, value) in enumerate(parameters):
        if count >= PARAMETERS_MAX:
            raise InvalidRequest(f"a request has at most {PARAMETERS_MAX} parameters")
        if name in given:
            raise InvalidRequest(f"{name} is given twice")
        if name in _KNOWN:
            given[name] = value
    return given


def _resource(given: Mapping[str, str]) -> Resource:
    for name in _MANDATORY:
        if name not in given:
            raise InvalidRequest(f"{name} is missing")
    if given["requestType"] != "WADO":
        raise InvalidRequest("requestType is not WADO")
    study, series, instance = (_uid_of(name)(given[name]) for name in _MANDATORY[1:])
    return Resource(study=study, series=series, instance=instance)


def _kinds(content_type: str | None, accept: str | None) -> tuple[str, ...]:
    """The media types that are taken: of instances or of pictures, not of both (PS3.18 §8.7.5).

    The parameter is looked at first, and says enough: browsers send a header of their own.
    """
    asked = _by_preference(content_type or "")
    if any(media.transfer_syntax is not None or media.charset for media in asked):
        raise InvalidRequest("a contentType has no transfer-syntax and no charset of its own")
    named = [media.kind for media in asked if "*" not in media.kind]
    accepted = [media.kind for media in _by_preference("*/*" if accept is None else accept)]
    kinds = tuple(dict.fromkeys(named or accepted))
    if DICOM not in kinds:
        if not kinds:
            raise NotAcceptable(f"an instance is given as {DICOM} or {DEFAULT_PICTURE}")
        return kinds
    if named and len(kinds) > 1:
        raise InvalidRequest("a contentType names an instance, or pictures, and not both")
    return (DICOM,)


def _by_preference(accepted: str) -> list[MediaRange]:
    """What is taken, the most wanted first; there are no bodies in parts here (PS3.18 §9)."""
    taken = [one for one in parse_accept(accepted) if one.quality > 0 and not one.multipart]
    return sorted(taken, key=lambda media: (media.quality, media.specificity), reverse=True)


def _refuse_anonymization(given: Mapping[str, str]) -> None:
    if "anonymize" not in given:
        return
    if given["anonymize"] != "yes":
        raise InvalidRequest("anonymize is yes, or is left out")
    raise NotAcceptable("instances are not anonymized here")


def _refuse(given: Mapping[str, str], names: Iterable[str], of: str) -> None:
    for name in names:
        if name in given:
            raise InvalidRequest(f"{name} has no meaning for {of}")


def _picture(given: dict[str, str], resource: Resource, kinds: tuple[str, ...]) -> WantedPicture:
    if "imageAnnotation" in given:  # its name in Table 9.5.1-1
        _refuse(given, ("annotation",), "one who gives imageAnnotation, too")
        given["annotation"] = given["imageAnnotation"]
    _read(given, "charset", ensure_utf_8)
    presentation = _presentation(given, resource.study)
    if presentation is not None:
        ruled_out = ("frameNumber", "windowCenter", "windowWidth")
        _refuse(given, ruled_out, "a picture by a presentation state")
    known, unknown = _read(given, "annotation", _annotation) or (frozenset(), ())
    return WantedPicture(
        resource=resource,
        kinds=kinds,
        frame=_read(given, "frameNumber", _positive_of("frameNumber")),
        rows=_read(given, "rows", _side_of("rows")),
        columns=_read(given, "columns", _side_of("columns")),
        region=_read(given, "region", _region),
        window=_window(given),
        quality=_read(given, "imageQuality", _quality),
        annotation=known,
        unknown_annotations=unknown,
        presentation=presentation,
    )


def _presentation(given: Mapping[str, str], study: Uid) -> Resource | None:
    pair = _pair(given, "presentationSeriesUID", "presentationUID")
    if pair is None:
        return None
    series, instance = _uid_of("presentationSeriesUID"), _uid_of("presentationUID")
    return Resource(study=study, series=series(pair[0]), instance=instance(pair[1]))


def _window(given: Mapping[str, str]) -> tuple[float, float] | None:
    pair = _pair(given, "windowCenter", "windowWidth")
    if pair is None:
        return None
    center, width = _decimal(pair[0], "windowCenter"), _decimal(pair[1], "windowWidth")
    if width < 1:  # of the linear function, the only one here (PS3.3 §C.11.2.1.2)
        raise InvalidRequest("windowWidth is 1 or more")
    return center, width


def _pair(given: Mapping[str, str], one: str, other: str) -> tuple[str, str] | None:
    if one not in given and other not in given:
        return None
    if one not in given or other not in given:
        raise InvalidRequest(f"{one} and {other} come together")
    return given[one], given[other]


def _region(value: str) -> Portion:
    parts = value.split(",")
    if len(parts) != 4:
        raise InvalidRequest("region is xmin,ymin,xmax,ymax")
    left, top, right, bottom = (_decimal(part, "region") for part in parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidRequest("region: 0 ≤ xmin < xmax ≤ 1, and likewise ymin and ymax")
    return Portion(left=left, top=top, right=right, bottom=bottom)


def _annotation(value: str) -> tuple[frozenset[str], tuple[str, ...]]:
    words = value.split(",")
    if not all(_KEYWORD.fullmatch(word) for word in words):
        raise InvalidRequest("annotation is a list of keywords, parted by commas")
    unknown = (word for word in words if word not in ANNOTATIONS)
    return frozenset(words) & ANNOTATIONS, tuple(dict.fromkeys(unknown))


def _quality(value: str) -> int:
    quality = _positive_of("imageQuality")(value)
    if quality > 100:
        raise InvalidRequest("imageQuality is a whole number from 1 to 100")
    return quality


def _read(given: Mapping[str, str], name: str, read: Callable[[str], T]) -> T | None:
    return read(given[name]) if name in given else None


def _positive_of(name: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not _WHOLE.fullmatch(value) or int(value) == 0:
            raise InvalidRequest(f"{name} is a whole number from 1")
        return int(value)

    return read


def _side_of(name: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        side = _positive_of(name)(value)
        if side > SIDE_MAX:
            raise InvalidRequest(f"{name} is a whole number from 1 to {SIDE_MAX}")
        return side

    return read


def _uid_of(name: str) -> Callable[[str], Uid]:
    def read(value: str) -> Uid:
        try:
            return Uid(value)
        except InvalidValue as error:
            raise InvalidRequest(f"{name} is {error}") from None

    return read


def _decimal(value: str, name: str) -> float:
    if not _DECIMAL.fullmatch(value) or not math.isfinite(number := float(value)):
        raise InvalidRequest(f"{name} holds something that is no decimal number")
    return number
