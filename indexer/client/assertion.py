"""Vouches for who acts on a record: the VIHF, signed with the key of a structure.

A VIHF goes with each exchange of XDS.b, in the header wsse:Security, and with those of FHIR as a
bearer token (IUA, SAML token option). It names one record, so that one is made for each request.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from lxml import etree

from indexer.contract.access import Caller, Software
from indexer.wire.proof.signatures import SigningKey, sign_enveloped
from indexer.wire.proof.vihf import Vihf, write_vihf


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """Who vouches: a structure, by its key, through a program."""

    key: SigningKey
    software: Software


def build_assertion(caller: Caller, structure: Structure, *, now: datetime) -> bytes:
    """The signed assertion that `caller` acts, as XML of its own.

    Args:
        now: when it is issued, aware; an index takes it for some minutes from then.

    Raises:
        InvalidValue: the caller cannot be told in a VIHF.
    """
    told = Vihf(
        assertion_id=f"_{uuid4()}",
        issuer=structure.key.certificate.subject.rfc4514_string(),
        issued_at=now,
        caller=caller,
        software=structure.software,
    )
    return etree.tostring(sign_enveloped(write_vihf(told), structure.key))


def bearer(assertion: bytes) -> str:
    """The value of Authorization that carries an assertion over FHIR."""
    return f"Bearer {base64.urlsafe_b64encode(assertion).rstrip(b'=').decode()}"
