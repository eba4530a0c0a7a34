"""Renders instances (PS3.18 §10.4.1.1.3, §10.4.1.1.4). Runs in worker processes.

The instance's own presentation comes first, then the region, the viewport and last the annotation
(PS3.18 §8.3.5.1). What a worker answers is plain values; `Rendering` reads them.
"""

import pickle
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from gateway.dicomweb.accept import Accepted, Form
from gateway.dicomweb.negotiation import rendered_form
from gateway.errors import GatewayError, InvalidRequest, NotAcceptable
from gateway.pixels.annotation import annotate
from gateway.pixels.attributes import number, text
from gateway.pixels.geometry import NothingShown, fit
from gateway.pixels.grayscale import Shades
from gateway.pixels.icc import Profile, with_profile
from gateway.pixels.picture import CARRY_ICC, GIF, PICTURES, encode, encode_animation
from gateway.pixels.presentation import Frame, present, references_of
from gateway.retrieval.rendering.captions import patient_lines, technique_lines
from gateway.retrieval.rendering.documents import find_document, find_video, give_text
from gateway.retrieval.rendering.forms import PDF, TEXTS, VIDEOS
from gateway.retrieval.rendering.order import ORDERS_KEPT, PATIENT, TECHNIQUE, Order
from gateway.retrieval.rendering.stored_instance import StoredInstance, open_stored

ANIMATED_FRAMES_MAX: Final = 256
"""Of an object that is given as one GIF."""
ANIMATED_PIXELS_MAX: Final = 2**26
"""Of all its frames together."""
FRAME_MS: Final = 100
"""Time of a frame in an animation where the object tells none."""

Answer = dict[str, Any]


@lru_cache(ORDERS_KEPT)
def wrap(order: Order, accepted: Accepted) -> bytes:
    """What is wanted, as `render` takes it: the slices of a series are wanted alike, and to make
    these values anew for each costs more than to read its header."""
    return pickle.dumps((order, accepted), protocol=5)


@lru_cache(ORDERS_KEPT)
def _unwrap(wanted: bytes) -> tuple[Order, Accepted]:
    order, accepted = pickle.loads(wanted)
    return order, accepted


def render(path: str, wanted: bytes, single: bool, frame: int | None) -> Answer:
    """The form of the instance that the client prefers.

    Args:
        wanted: see `wrap`.
        single: whether the client may have it without parts.
        frame: counted from 1; None for the instance as a whole, of which the parts are its
            frames: then the first is given.

    Raises:
        InvalidRequest: the order does not fit the form.
        NotFound: there is no such frame.
        NotAcceptable: the instance has no such form, or is not what its header says.
    """
    try:
        return _render(path, *_unwrap(wanted), single, frame)
    except Exception as error:
        raise _refusal(error) from error


def present_frame(path: str, state_path: str, order: Order, kind: str, frame: int | None) -> Answer:
    """A frame as a presentation state shows it.

    Args:
        path: of the image.
        kind: media type of the picture.
        frame: counted from 1; None for the one that represents the image.

    Raises:
        NotFound: there is no such frame.
        NotAcceptable: either instance is not what its header says.
    """
    try:
        return _present(path, state_path, order, kind, frame)
    except Exception as error:
        raise _refusal(error) from error


def _refusal(error: Exception) -> Exception:
    """What is told of an error: pydicom and decoders raise whatever their parts raise on bytes that
    are none of theirs."""
    of_the_disk = isinstance(error, OSError) and error.errno is not None
    if of_the_disk or isinstance(error, GatewayError | MemoryError):
        return error
    if isinstance(error, NothingShown):
        return InvalidRequest(str(error))
    return NotAcceptable("the instance is not what its header says, and is not shown")


def _present(path: str, state_path: str, order: Order, kind: str, frame: int | None) -> Answer:
    image, state = open_stored(path), open_stored(state_path).header
    shown = frame or image.representative
    picture = present(
        state,
        Frame(
            header=image.header,
            number=shown,
            samples=image.samples(shown),
            bits=image.described.bits_stored,
        ),
        None if order.portion is not None else order.viewport,
    )
    if order.portion is not None:
        picture = fit(order.portion.cut(picture), order.viewport)
    own = state.get("ICCProfile") or image.header.get("ICCProfile")
    shades, profile = with_profile(picture, order.profile, own)
    captioned = _captioned(image, order, shades, shown)
    content = encode(captioned, kind, quality=order.quality, icc=profile)
    return {
        "kind": kind,
        "multipart": True,
        "content": content,
        "ranges": [],
        "frames": image.described.frames,
    }


def _refer(state: StoredInstance, order: Order, form: Form) -> Answer:
    """Which images a presentation state shows, for it holds none."""
    if order.window is not None:
        raise InvalidRequest("a presentation state has windows of its own")
    if order.viewport is not None and not order.viewport.shows_all:
        raise InvalidRequest("of a presentation state's viewport only vw and vh are given")
    ensure_profile(order, form.kind)
    found = references_of(state.header)
    if not found:
        raise NotAcceptable("the presentation state names no image")
    if not form.multipart and (len(found) > 1 or len(found[0].frames) > 1):
        raise NotAcceptable("the presentation state shows several images: accept them in parts")
    references = [(one.series, one.instance, list(one.frames)) for one in found]
    return {
        "kind": form.kind,
        "multipart": form.multipart,
        "content": b"",
        "ranges": [],
        "frames": 1,
        "references": references,
    }


def _render(path: str, order: Order, accepted: Accepted, single: bool, frame: int | None) -> Answer:
    instance = open_stored(path)
    form = rendered_form(accepted, instance.media_types, single=single)
    content, ranges, frames = b"", [], 1
    if instance.is_presentation:
        return _refer(instance, order, form)
    if form.kind in PICTURES:
        content = _give_picture(instance, order, form, frame)
        frames = instance.described.frames
    elif frame is not None:
        raise NotAcceptable("the instance has no frames that are shown apart")
    elif form.kind in VIDEOS:
        ranges = find_video(instance)
    elif form.kind == PDF and text(instance.header, "MIMETypeOfEncapsulatedDocument") == PDF:
        ranges = find_document(instance)
    else:
        content = give_text(instance, form.kind, order.language)
    told = f"{form.kind}; charset=utf-8" if form.kind in TEXTS else form.kind
    return {
        "kind": told,
        "multipart": form.multipart,
        "content": content,
        "ranges": ranges,
        "frames": frames,
    }


def _give_picture(image: StoredInstance, order: Order, form: Form, frame: int | None) -> bytes:
    kind, multipart = form.kind, form.multipart
    ensure_profile(order, kind)
    moves = image.described.frames > 1 and frame is None and not (multipart or order.still)
    if kind == GIF and moves:
        return _animation(image, order)
    return _picture(image, order, kind, frame or (1 if multipart else image.representative))


def ensure_profile(order: Order, kind: str) -> None:
    """Raises:
    InvalidRequest: an ICC profile is wanted in a type that holds none (PS3.18 §8.3.5.1.5).
    """
    if order.profile is not Profile.NONE and kind not in CARRY_ICC:
        raise InvalidRequest(f"{kind} holds no ICC profile: ask for iccprofile=no")


def _picture(image: StoredInstance, order: Order, kind: str, frame: int) -> bytes:
    shades, profile = with_profile(
        _shown(image, order, frame), order.profile, image.header.get("ICCProfile")
    )
    return encode(_captioned(image, order, shades, frame), kind, quality=order.quality, icc=profile)


def _shown(image: StoredInstance, order: Order, frame: int) -> Shades:
    look = image.appearance(frame)
    if order.window is not None:
        look = replace(look, gray=replace(look.gray, voi=order.window))
    shades = look.show(image.samples(frame))
    if order.portion is not None:
        shades = order.portion.cut(shades)
    return fit(shades, order.viewport, pixel_aspect=look.pixel_aspect)


def _captioned(image: StoredInstance, order: Order, shades: Shades, frame: int) -> Shades:
    if not order.annotation:
        return shades
    header = image.header
    top = patient_lines(header) if PATIENT in order.annotation else []
    bottom = technique_lines(header, frame=frame, frames=image.described.frames)
    return annotate(shades, top=top, bottom=bottom if TECHNIQUE in order.annotation else [])


def _animation(image: StoredInstance, order: Order) -> bytes:
    if image.described.frames > ANIMATED_FRAMES_MAX:
        raise NotAcceptable(f"more than {ANIMATED_FRAMES_MAX} frames are not given as one GIF")
    frames: list[Shades] = []
    for frame in range(1, image.described.frames + 1):
        frames.append(_captioned(image, order, _shown(image, order, frame), frame))
        if sum(shown.size for shown in frames) > ANIMATED_PIXELS_MAX:
            raise NotAcceptable("the frames are too large to be given as one GIF")
    return encode_animation(frames, frame_ms=_frame_ms(image))


def _frame_ms(image: StoredInstance) -> int:
    told = number(image.header, "FrameTime")
    return round(told) if told is not None and 10 <= told <= 10_000 else FRAME_MS
