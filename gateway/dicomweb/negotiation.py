"""The forms in which each kind of resource can be given (PS3.18 §8.7.3, Table 10.4.4-1).

Of each, the first is what a client gets that takes anything. `accept` chooses among them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from gateway.dicomweb.accept import AS_STORED, OCTETS, Accepted, Form, Offer
from gateway.errors import NotAcceptable
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN, FORBIDDEN_ON_THE_WEB, NATIVE
from indexer.contract.identifiers import Uid

DICOM: Final = "application/dicom"
DICOM_XML: Final = "application/dicom+xml"
ZIP: Final = "application/zip"
"""Of instances, as an extension to who names it."""
JSON_TYPES: Final = ("application/dicom+json", "application/json")
XML_TYPES: Final = (DICOM_XML, "application/xml", "text/xml")

FORMS_KEPT: Final = 256
"""Of what was chosen last: a viewer asks for one frame as for the next."""

_ROOT: Final = "1.2.840.10008.1.2"
_OLD_NAMES: Final = {"image/dicom-rle": "image/x-dicom-rle", "image/jls": "image/x-jls"}
_BULK_TYPES: Final = {
    "image/jpeg": "4.70 4.50 4.51 4.57",
    "image/dicom-rle": "5",
    "image/jls": "4.80 4.81",
    "image/jp2": "4.90 4.91",
    "image/jpx": "4.92 4.93",
    "image/jphc": "4.201 4.202 4.203",
    "image/jxl": "4.110 4.111 4.112",
    "video/mpeg": "4.101 4.101.1 4.100 4.100.1",
    "video/mp4": "4.102 4.102.1 4.103 4.103.1 4.104 4.104.1 4.105 4.105.1 4.106 4.106.1",
    "video/H265": "4.107 4.108",
}
"""Media types of compressed pixels, each with its transfer syntaxes, the default first (PS3.18
Tables 8.7.3-4 and 8.7.3-5)."""
_SYNTAXES: Final = {
    kind: tuple(Uid(f"{_ROOT}.{one}") for one in listed.split())
    for kind, listed in _BULK_TYPES.items()
}
BULK_TYPE: Final = {syntax: kind for kind, listed in _SYNTAXES.items() for syntax in listed}
"""The media type of a frame that is compressed so."""

MAYBE_LOSSY: Final = frozenset(
    syntax
    for syntax, kind in BULK_TYPE.items()
    if kind.startswith("video/")
    or syntax in {f"{_ROOT}.4.{one}" for one in (50, 51, 81, 91, 93, 111, 112, 203)}
)
"""What may hold all that there is of an image in lossy form, so that it need not be given
uncompressed to one who does not say what it takes (PS3.18 §8.7.3)."""

Targets = Callable[[Uid], Sequence[Uid]]
"""The transfer syntaxes in which what is held in one can be given beside that one."""

DATA_SETS: Final = (
    *(Offer(form=Form(kind=kind)) for kind in JSON_TYPES),
    Offer(form=Form(kind=DICOM_XML, multipart=True)),
)
"""Metadata and what a search finds."""


def natively(stored: Uid) -> Sequence[Uid]:
    """What can be given without touching a pixel."""
    return (EXPLICIT_LITTLE_ENDIAN,) if stored in NATIVE else ()


def instance_form(
    accepted: Accepted, stored: Uid, *, single: bool, targets: Targets = natively
) -> Form:
    """How an instance is given that is held in this transfer syntax.

    Args:
        single: whether the resource is one instance, the only case for a body without parts.

    Raises:
        NotAcceptable: the client takes no form in which it can be given.
    """
    offers = [
        Offer(form=Form(kind=DICOM, multipart=multipart, transfer_syntax=syntax), answers=answers)
        for multipart in ((True, False) if single else (True,))
        for syntax, answers in _instance_syntaxes(stored, targets(stored))
    ]
    return accepted.choose(
        offers,
        refusal='instances are given as multipart/related; type="application/dicom"; this one is'
        f" held in transfer syntax {stored}, in which transfer-syntax=* has it",
    )


def instances_as(accepted: Accepted, *, single: bool) -> str:
    """As what instances are asked for: as such (application/dicom), as their bulk data in parts
    (Table 10.4.4-1), or, beyond the standard, as an archive. One who takes nothing of these asked
    for them as such.

    Args:
        single: whether the resource is one instance.
    """
    offers = [
        *(
            Offer(form=Form(kind=DICOM, multipart=one))
            for one in ((True, False) if single else (True,))
        ),
        Offer(form=Form(kind=ZIP), only_by_name=True),
        *(
            Offer(form=Form(kind=kind, multipart=True), only_by_name=True)
            for kind in (OCTETS, *_BULK_TYPES)
        ),
    ]
    try:
        kind = accepted.choose(offers, refusal="").kind
    except NotAcceptable:
        return DICOM
    return kind if kind in (DICOM, ZIP) else OCTETS


def bulk_form(
    accepted: Accepted, stored: Uid, *, single: bool, targets: Targets = natively
) -> Form:
    """How a frame, or all pixels, of an instance are given that is held in this transfer syntax.

    Args:
        single: whether it is one item, the only case for a body without parts.

    Raises:
        NotAcceptable: the client takes no form in which it can be given.
    """
    offers = [
        Offer(
            form=Form(kind=kind, multipart=multipart, transfer_syntax=syntax),
            names=frozenset({_OLD_NAMES[kind]} if kind in _OLD_NAMES else ()),
            answers=answers,
        )
        for multipart in ((True, False) if single else (True,))
        for kind, syntax, answers in _bulk_forms(stored, targets(stored))
    ]
    return accepted.choose(
        offers,
        refusal=f'this is given as multipart/related; type="{OCTETS}"; its instance is held in'
        f" transfer syntax {stored}, in which transfer-syntax=* has it",
    )


def data_set_form(accepted: Accepted) -> Form:
    """How metadata or search results are given (PS3.18 §10.4.3, §10.6.3).

    Raises:
        NotAcceptable: the client takes neither JSON nor XML in parts.
    """
    refusal = f'this is given as {JSON_TYPES[0]} or as multipart/related; type="{DICOM_XML}"'
    return accepted.choose(DATA_SETS, refusal=refusal)


def document_type(accepted: Accepted, kinds: Sequence[str]) -> str:
    """The media type of what is one document, such as the answer to a Store transaction.

    Args:
        kinds: those in which it can be given, the default first.

    Raises:
        NotAcceptable: the client takes none of them.
    """
    offers = [Offer(form=Form(kind=kind)) for kind in kinds]
    return accepted.choose(offers, refusal=f"this is given as {' or '.join(kinds)}").kind


@lru_cache(FORMS_KEPT)
def rendered_form(accepted: Accepted, kinds: tuple[str, ...], *, single: bool) -> Form:
    """How something is given as what people look at (PS3.18 §8.7.4).

    Args:
        kinds: media types that it can be rendered in, the default first.
        single: whether it is one item: then without parts, unless they are asked for.

    Raises:
        NotAcceptable: the client takes none of them.
    """
    offers = [
        Offer(form=Form(kind=kind, multipart=multipart))
        for multipart in ((False, True) if single else (True,))
        for kind in kinds
    ]
    parted = "" if single else ", in parts"
    return accepted.choose(offers, refusal=f"this is given as {', '.join(kinds)}{parted}")


def _instance_syntaxes(
    stored: Uid, targets: Sequence[Uid]
) -> Iterator[tuple[Uid, frozenset[str | None]]]:
    """Each transfer syntax, with what it is an answer to; the stored one first."""
    default = EXPLICIT_LITTLE_ENDIAN
    if stored not in FORBIDDEN_ON_THE_WEB:
        has_no_default = stored in MAYBE_LOSSY and default not in targets
        answers = {stored, AS_STORED, *((None,) if has_no_default else ())}
        yield stored, frozenset(answers | ({None} if stored == default else set()))
    for syntax in targets:
        if syntax != stored:
            is_stored_so = stored in FORBIDDEN_ON_THE_WEB and syntax == default
            more = {*((None,) if syntax == default else ()), *((AS_STORED,) * is_stored_so)}
            yield syntax, frozenset({syntax, *more})


def _bulk_forms(
    stored: Uid, targets: Sequence[Uid]
) -> Iterator[tuple[str, Uid, frozenset[str | None]]]:
    """Each media type and transfer syntax, with what it is an answer to."""
    own = BULK_TYPE.get(stored)
    if EXPLICIT_LITTLE_ENDIAN in (stored, *targets):
        plain = {EXPLICIT_LITTLE_ENDIAN, None, *((AS_STORED,) if stored in NATIVE else ())}
        yield OCTETS, EXPLICIT_LITTLE_ENDIAN, frozenset(plain)
    if own is not None:
        default = _SYNTAXES[own][0]
        is_best = stored == default or default not in targets
        told = {stored, AS_STORED, *((None,) if is_best else ())}
        yield own, stored, frozenset(told)
    for syntax in targets:
        kind = BULK_TYPE.get(syntax)
        if kind is not None and syntax != stored:
            unsaid = (None,) if syntax == _SYNTAXES[kind][0] else ()
            yield kind, syntax, frozenset({syntax, *unsaid})
    if stored not in NATIVE:
        # Not of the standard, which has these bytes travel as `own` alone; viewers ask for it.
        yield OCTETS, stored, frozenset({stored, AS_STORED})
