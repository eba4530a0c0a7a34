"""`drim-sim report`: tells a gateway of one report, as its RIS would."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from simulators.imaging_centre.document import Document, first_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import CHARACTER_SETS, Message, send, tls_context
from simulators.imaging_centre.ris import (
    FLAG_CODES,
    OTHER_SPELLINGS,
    Action,
    build_mdm,
    build_oru,
)
from simulators.synthetic.examination import ACTS, TIME_ZONE, Examination, make_examination
from simulators.synthetic.identity import INS_TEST_OID, PATIENT_ID_ISSUER
from simulators.synthetic.uids import uid_of

_LASTED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What an integrator says of the report; the rest of it is made up."""

    study_uid: str
    accession: str
    ins: str
    ins_oid: str = INS_TEST_OID
    local_id: str
    local_id_issuer: str = PATIENT_ID_ISSUER
    name: str = "ESSAI^CAMILLE"
    """Birth name and first given name."""
    birth_date: str = ""
    """YYYYMMDD; empty leaves it out, and then it contradicts no image."""
    sex: str = ""
    birth_place: str = "99999"
    modality: str = "CT"
    kind: str = "oru"
    """`oru` or `mdm`."""
    version: int | None = None
    """None takes 1, and 2 for what replaces another."""
    document_id: str = ""
    """Empty makes one up from the study, the accession number and the INS."""
    replaces: str = ""
    deletes: str = ""
    flags: tuple[str, ...] = ()
    """`CODE=Y` or `CODE=N`, for answers that are not the usual ones."""
    charset: str = "UNICODE UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the gateway listens, and the PEM files of a sender over TLS."""

    mllp: str
    """HOST:PORT."""
    ca: Path | None = None
    """None speaks in the clear."""
    certificate: Path | None = None
    key: Path | None = None


def tell(options: ReportOptions, to: Place, *, say: Callable[[str], object]) -> None:
    """Send the report and wait for its acknowledgement.

    Args:
        say: told `document ID` and `accepted CONTROL-ID` once it is acknowledged.

    Raises:
        ValueError: an option cannot be what it says; the text names it.
        OSError: a file of the place cannot be read.
        NotAcknowledged: no answer came, or another than `AA`.
    """
    host, colon, port = to.mllp.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise ValueError("--mllp is HOST:PORT")
    if to.ca is None and (to.certificate or to.key):
        raise ValueError("--tls-certificate and --tls-key need --tls-ca")
    context = tls_context(to.ca, to.certificate, to.key) if to.ca else None
    document, message = build(options, now=datetime.now(TIME_ZONE).replace(microsecond=0))
    asyncio.run(send(message, host, int(port), tls=context))
    say(f"document {document.document_id}")
    say(f"accepted {message.control_id}")


def build(options: ReportOptions, *, now: datetime) -> tuple[Document, Message]:
    """The document and the message that carries it.

    Raises:
        ValueError: an option cannot be what it says; the text names it.
    """
    if options.replaces and options.deletes:
        raise ValueError("a report is replaced or deleted, not both")
    if options.charset not in CHARACTER_SETS:
        raise ValueError(f"--charset is one of {', '.join(filter(None, CHARACTER_SETS))}")
    document = _document(options, now)
    action = Action.DELETE if options.deletes else None
    builders = {"oru": build_oru, "mdm": build_mdm}
    if options.kind not in builders:
        raise ValueError("--kind is oru or mdm")
    header = Header(sent_at=now, charset=options.charset)
    message = builders[options.kind](
        document, header=header, action=action, flags=_flags(options.flags)
    )
    try:
        message.data  # noqa: B018, encodes it
    except UnicodeEncodeError:
        raise ValueError(f"{options.charset} lacks a character of the message") from None
    return document, message


def _document(options: ReportOptions, now: datetime) -> Document:
    new = first_version(_examination(options, now))
    # Their one set is named after the exam: a replacement does not know the first version's.
    told = replace(new, written_at=now, version=options.version or 1)
    if options.deletes:
        return replace(told, document_id=options.deletes)
    if options.replaces:
        own = options.document_id or uid_of("report", options.replaces, "next")
        return replace(
            told, document_id=own, replaces=options.replaces, version=options.version or 2
        )
    return replace(told, document_id=options.document_id or new.document_id)


def _examination(options: ReportOptions, now: datetime) -> Examination:
    if options.modality not in ACTS:
        raise ValueError(f"--modality is one of {', '.join(ACTS)}")
    made_up = make_examination(0, 0, options.modality)
    name, _, given = options.name.partition("^")
    patient = replace(
        made_up.patient,
        ins=options.ins,
        ins_oid=options.ins_oid,
        local_id=options.local_id,
        local_id_issuer=options.local_id_issuer,
        birth_name=name,
        given_names=(given,),
        birth_date=options.birth_date,
        sex=options.sex,
        birth_place=options.birth_place,
    )
    return replace(
        made_up,
        study_uid=options.study_uid,
        accession=options.accession,
        patient=patient,
        started_at=(now - _LASTED).astimezone(TIME_ZONE),
    )


def _flags(options: tuple[str, ...]) -> dict[str, str]:
    flags = {}
    for option in options:
        code, _, answer = option.partition("=")
        if answer not in ("Y", "N"):
            raise ValueError("--flag is CODE=Y or CODE=N")
        if code not in FLAG_CODES | OTHER_SPELLINGS.keys():
            raise ValueError(f"--flag takes {', '.join(sorted(FLAG_CODES))}")
        flags[code] = answer
    return flags
