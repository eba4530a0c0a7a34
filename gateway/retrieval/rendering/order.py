"""Reads how a client wants its pictures: the parameters of PS3.18 §8.3.5.1."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from gateway.dicomweb.charsets import ensure_utf_8
from gateway.errors import InvalidRequest
from gateway.pixels.geometry import SIDE_MAX, Portion, Viewport
from gateway.pixels.icc import Profile
from gateway.pixels.voi import Function, Window
from gateway.retrieval.rendering.words import FRENCH, preferred_language

T = TypeVar("T")

THUMBNAIL: Final = Viewport(width=192, height=192)
"""Into which a thumbnail fits that nobody sized."""

PATIENT, TECHNIQUE = "patient", "technique"
KEYWORDS_MAX: Final = 16
"""Of an annotation parameter."""
ORDERS_KEPT: Final = 64
"""Of those that came last: a viewer wants the slices of a series alike."""

_Annotation = tuple[frozenset[str], tuple[str, ...]]
_FUNCTIONS: Final = {
    "linear": Function.LINEAR,
    "linear-exact": Function.LINEAR_EXACT,
    "sigmoid": Function.SIGMOID,
}
_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?")
_KNOWN: Final = ("annotation", "quality", "viewport", "window", "iccprofile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How pictures are wanted."""

    quality: int | None = None
    portion: Portion | None = None
    """Of the image, into which the viewport looks."""
    viewport: Viewport | None = None
    window: Window | None = None
    annotation: frozenset[str] = frozenset()
    profile: Profile = Profile.NONE
    language: str = FRENCH
    """Of our own words in texts."""
    still: bool = False
    """One picture, whatever moves."""


@lru_cache(ORDERS_KEPT)
def read_order(
    parameters: tuple[tuple[str, str], ...], *, accept_language: str = ""
) -> tuple[Order, tuple[str, ...]]:
    """The order, and what to warn of: annotations that nobody knows here (PS3.18 §8.3.5.1.1).

    Raises:
        InvalidRequest: a parameter is not as its rule says, or is given twice.
    """
    given = _once(parameters)
    _read(given, "charset", ensure_utf_8, None)
    no_annotation: _Annotation = (frozenset(), ())
    annotation, warnings = _read(given, "annotation", _annotation, no_annotation)
    order = Order(
        quality=_read(given, "quality", _quality, None),
        viewport=_read(given, "viewport", read_viewport, None),
        window=_read(given, "window", _window, None),
        annotation=annotation,
        profile=_read(given, "iccprofile", _profile, Profile.NONE),
        language=preferred_language(accept_language),
    )
    return order, warnings


def read_thumbnail_order(parameters: Iterable[tuple[str, str]]) -> Order:
    """The order for a thumbnail, of which only the size is chosen (PS3.18 §10.4.1.1.4).

    Raises:
        InvalidRequest: something else is asked for, or more of the viewport than its size.
    """
    given = _once(parameters)
    for name in _KNOWN:
        if name in given and name != "viewport":
            raise InvalidRequest(f"a thumbnail takes no {name}")
    viewport = _read(given, "viewport", read_viewport, THUMBNAIL)
    if not viewport.shows_all:
        raise InvalidRequest("of a thumbnail's viewport only vw and vh are given")
    return Order(viewport=viewport, still=True)


def _once(parameters: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parameters:
        if name in given and name in _KNOWN:
            raise InvalidRequest(f"{name} is given twice")
        given[name] = value
    return given


def _read(given: Mapping[str, str], name: str, read: Callable[[str], T], otherwise: T) -> T:
    return read(given[name]) if name in given else otherwise


def _annotation(value: str) -> _Annotation:
    words = value.split(",")
    if len(words) > KEYWORDS_MAX or not all(_KEYWORD.fullmatch(word) for word in words):
        raise InvalidRequest("annotation is a list of keywords, parted by commas")
    known = frozenset(words) & {PATIENT, TECHNIQUE}
    unknown = [word for word in words if word not in known]
    if not unknown:
        return known, ()
    told = f"The following annotation values are not supported: {', '.join(unknown)}"
    return known, (told,)


def _quality(value: str) -> int:
    if not _WHOLE.fullmatch(value) or not 1 <= int(value) <= 100:
        raise InvalidRequest("quality is a whole number from 1 to 100")
    return int(value)


def read_viewport(value: str) -> Viewport:
    """The viewport of `vw,vh[,sx[,sy[,sw[,sh]]]]`, of whose last four each may be elided.

    Raises:
        InvalidRequest: it is not of this form.
    """
    width, height, *region = value.split(",")[:7] if "," in value else ("", "")
    sides = [int(side) for side in (width, height) if _WHOLE.fullmatch(side)]
    if len(sides) != 2 or not all(1 <= side <= SIDE_MAX for side in sides):
        raise InvalidRequest(f"viewport begins with vw,vh: whole numbers from 1 to {SIDE_MAX}")
    if len(region) > 4:
        raise InvalidRequest("viewport holds six numbers at most: vw,vh,sx,sy,sw,sh")
    left, top, region_width, region_height = [
        _decimal(one, "viewport") if one else None for one in (*region, "", "", "", "")[:4]
    ]
    if (left or 0) < 0 or (top or 0) < 0:
        raise InvalidRequest("viewport: sx and sy are not negative")
    if region_width == 0 or region_height == 0:
        raise InvalidRequest("viewport: sw and sh are not 0")
    return Viewport(sides[0], sides[1], left or 0.0, top or 0.0, region_width, region_height)


def _window(value: str) -> Window:
    parts = value.split(",")
    if len(parts) != 3 or parts[2] not in _FUNCTIONS:
        raise InvalidRequest(
            "window is center,width,function, the function linear, linear-exact or sigmoid"
        )
    center, width = (_decimal(part, "window") for part in parts[:2])
    try:
        return Window(center, width, _FUNCTIONS[parts[2]])
    except ValueError as error:
        raise InvalidRequest(f"window: {error}") from None


def _profile(value: str) -> Profile:
    if value not in set(Profile):
        raise InvalidRequest("iccprofile is no, yes, srgb, adobergb or rommrgb")
    return Profile(value)


def _decimal(value: str, name: str) -> float:
    if not _DECIMAL.fullmatch(value):
        raise InvalidRequest(f"{name} holds something that is no decimal number")
    return float(value)
