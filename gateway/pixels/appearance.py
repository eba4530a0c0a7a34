"""How an image says that a frame of it looks: its pixel module, VOI, palette and spacing."""

from dataclasses import dataclass

from pydicom import Dataset

from gateway.pixels.attributes import UNREADABLE, item, number, numbers, of_frame, text, whole
from gateway.pixels.grayscale import GrayLook, Padding, Rescale, Shades, Stored, shade
from gateway.pixels.lut import (
    BadTable,
    LookupTable,
    expand_segments,
    make_table,
    read_descriptor,
    table_of,
)
from gateway.pixels.palette import Palette, colour_samples
from gateway.pixels.voi import Function, Window

_SPACINGS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "PresentationPixelSpacing",  # these two are of a displayed area, PS3.3 §C.10.4
    "PresentationPixelAspectRatio",
)
_ASPECT_EPSILON = 0.01  # what differs less is rounding, not a pixel that is not square
_ASPECT_MAX = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How the stored values of one frame become shades or colours."""

    gray: GrayLook
    palette: Palette | None = None
    palette_over_gray: bool = False
    bits: int = 8
    pixel_aspect: float = 1.0
    """Height of a pixel over its width."""

    def show(self, stored: Stored) -> Shades:
        """The picture of a frame of samples, which are gray, entries of a palette, or RGB."""
        if stored.ndim == 3:
            return colour_samples(stored, self.bits)
        if self.palette is None:
            return shade(stored, self.gray)
        if self.palette_over_gray:
            return self.palette.paint_over(shade(stored, self.gray), stored)
        return self.palette.paint(stored)


def appearance_of(ds: Dataset, frame: int, *, big_endian: bool = False) -> Appearance:
    """What the header says of a frame, counted from 0.

    Raises:
        BadTable: a palette that the image needs contradicts itself.
    """
    photometric = text(ds, "PhotometricInterpretation")
    bits = whole(ds, "BitsStored", 0) or whole(ds, "BitsAllocated", 8)
    signed = whole(ds, "PixelRepresentation", 0) == 1
    over_gray = _is_supplemental(ds, frame)
    palette = None
    if photometric == "PALETTE COLOR" or over_gray:
        palette = palette_of(ds, signed=signed, big_endian=big_endian)
    return Appearance(
        gray=GrayLook(
            modality=modality_of(ds, frame, signed=signed, big_endian=big_endian),
            voi=voi_of(ds, frame, big_endian=big_endian),
            bits=_full_range(ds, bits),
            inverse=photometric == "MONOCHROME1",
            padding=_padding(ds),
        ),
        palette=palette,
        palette_over_gray=over_gray,
        bits=bits,
        pixel_aspect=pixel_aspect_of(ds, frame),
    )


def modality_of(
    ds: Dataset, frame: int, *, signed: bool, big_endian: bool
) -> Rescale | LookupTable:
    """Modality LUT or rescale (PS3.3 §C.11.1, §C.7.6.16.2.9); the identity where there is none."""
    table = item(ds, "ModalityLUTSequence")
    if table is not None and (found := table_in(table, signed, big_endian)) is not None:
        return found
    where = of_frame(ds, frame, "PixelValueTransformationSequence") or ds
    slope, intercept = number(where, "RescaleSlope"), number(where, "RescaleIntercept")
    return Rescale(1.0 if slope in (None, 0) else slope, intercept or 0.0)


def voi_of(ds: Dataset, frame: int, *, big_endian: bool) -> Window | LookupTable | None:
    """The first window, else the first VOI LUT (PS3.3 §C.11.2, §C.7.6.16.2.10), if any."""
    where = of_frame(ds, frame, "FrameVOILUTSequence") or ds
    center, width = number(where, "WindowCenter"), number(where, "WindowWidth")
    if center is not None and width is not None:
        name = text(where, "VOILUTFunction") or Function.LINEAR
        try:
            return Window(center, width, Function(name))
        except ValueError:
            pass
    table = item(where, "VOILUTSequence")
    return None if table is None else table_in(table, _may_be_negative(ds), big_endian)


def palette_of(ds: Dataset, *, signed: bool, big_endian: bool) -> Palette:
    """The palette (PS3.3 §C.7.9), segmented or not.

    Raises:
        BadTable: there is none, or it contradicts itself.
    """
    red, green, blue = (
        _colour(ds, colour, signed, big_endian) for colour in ("Red", "Green", "Blue")
    )
    return Palette(red, green, blue)


def _colour(ds: Dataset, colour: str, signed: bool, big_endian: bool) -> LookupTable:
    prefix = f"{colour}PaletteColorLookupTable"
    try:
        descriptor = [int(value) for value in numbers(ds, f"{prefix}Descriptor")]
        data, segmented = ds.get(f"{prefix}Data"), ds.get(f"Segmented{prefix}Data")
    except UNREADABLE as error:
        raise BadTable("the image's palette cannot be read") from error
    if segmented and not data:
        count, first, bits = read_descriptor(descriptor, signed=signed)
        entries = expand_segments(segmented, count, bits=bits, big_endian=big_endian)
        return table_of(first, entries, bits)
    if data is None:
        raise BadTable("the image has no palette")
    return make_table(descriptor, data, signed=signed, big_endian=big_endian)


def table_in(holder: Dataset, signed: bool, big_endian: bool) -> LookupTable | None:
    """A table that helps to show the image; None where it cannot be read."""
    descriptor = [int(value) for value in numbers(holder, "LUTDescriptor")]
    try:
        data = holder.get("LUTData")
        if data is None:
            return None
        return make_table(descriptor, data, signed=signed, big_endian=big_endian)
    except (BadTable, *UNREADABLE):
        return None


def _full_range(ds: Dataset, bits: int) -> int | None:
    """Of 8 bits and fewer, all that they can hold is the range; of more, what the frame holds.

    Not of labels, which count segments from 0 and would all be nearly black.
    """
    if text(ds, "SegmentationType") == "LABELMAP":
        return None
    largest = whole(ds, "MaximumFractionalValue", 0)
    return bits if bits <= 8 and largest in (0, 2**bits - 1) else None


def _is_supplemental(ds: Dataset, frame: int) -> bool:
    """Whether values above the gray ones are colours (PS3.3 §C.7.6.19, §C.8.13.3.1.1)."""
    if text(ds, "PhotometricInterpretation") != "MONOCHROME2":
        return False
    if "RedPaletteColorLookupTableDescriptor" not in ds:
        return False
    return any(
        text(group, "PixelPresentation") == "COLOR"
        for kind in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence")
        if (group := of_frame(ds, frame, kind)) is not None
    ) or text(ds, "PixelPresentation") in ("COLOR", "MIXED")


def _padding(ds: Dataset) -> Padding | None:
    if text(ds, "SegmentationType") == "LABELMAP":  # there it is the ground that is no segment
        return None
    value = number(ds, "PixelPaddingValue")
    if value is None:
        return None
    limit = number(ds, "PixelPaddingRangeLimit")
    ends = (value, value if limit is None else limit)
    return Padding(min(ends), max(ends))


def _may_be_negative(ds: Dataset) -> bool:
    return whole(ds, "PixelRepresentation", 0) == 1 or (number(ds, "RescaleIntercept") or 0) < 0


def pixel_aspect_of(ds: Dataset, frame: int) -> float:
    """Height of a pixel over its width (PS3.3 §C.7.6.3.1.7, §10.7)."""
    measures = of_frame(ds, frame, "PixelMeasuresSequence")
    candidates = [numbers(ds, "PixelAspectRatio")]
    candidates += [numbers(ds, name) for name in _SPACINGS]
    if measures is not None:
        candidates.insert(0, numbers(measures, "PixelSpacing"))
    for sides in candidates:
        if len(sides) == 2 and sides[0] > 0 and sides[1] > 0:
            aspect = sides[0] / sides[1]
            if not 1 / _ASPECT_MAX <= aspect <= _ASPECT_MAX:
                return 1.0
            return aspect if abs(aspect - 1) > _ASPECT_EPSILON else 1.0
    return 1.0
