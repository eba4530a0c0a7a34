"""Makes of the settings who is let in, and what is asked of signatures."""

import logging
from datetime import UTC, datetime

from indexer.server.access.assertions import Assertions, Rules
from indexer.server.access.checks import Checks
from indexer.server.access.policy import AccessPolicy, OpenAccess, RefuseAll, is_loopback
from indexer.server.access.revocations import RevocationLists
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.access.trust import Trust, read_authorities
from indexer.server.settings import IndexSettings

log = logging.getLogger(__name__)


def doors(
    settings: IndexSettings, checks: Checks, *, open_access: bool
) -> tuple[AccessPolicy, SignatureDocuments | None]:
    """The access policy, and the check of signature documents where somebody is trusted.

    Raises:
        ValueError: they would let in others than was meant, or nobody can be trusted by them.
    """
    if open_access and not is_loopback(str(settings.bind)):
        raise ValueError("open access is for loopback only: set INDEX_BIND to 127.0.0.1")
    if settings.signature_required and settings.authorities is None:
        raise ValueError("nobody's signature is trusted: set INDEX_AUTHORITIES")
    trust = _trust(settings)
    signatures = None
    if trust is not None:
        signatures = SignatureDocuments(
            trust,
            checks,
            required=settings.signature_required,
            sha1=settings.accept_sha1,
            now=_now,
        )
    if open_access:
        log.warning("open_access", extra={"meaning": "anyone on this machine may do anything"})
        return OpenAccess(), signatures
    if trust is None:
        return RefuseAll(), signatures
    rules = Rules(
        audience=settings.assertion_audience,
        age_s_max=settings.assertion_age_s,
        skew_s=settings.assertion_skew_s,
        sha1=settings.accept_sha1,
        portals=settings.patient_portals,
        sites=settings.sites,
    )
    return Assertions(trust, rules, checks, now=_now), signatures


def _trust(settings: IndexSettings) -> Trust | None:
    if settings.authorities is None:
        return None
    revocations = None
    if settings.crl_dir is None:
        log.warning("revocation_not_asked", extra={"meaning": "revoked certificates are taken"})
    else:
        revocations = RevocationLists(settings.crl_dir, overdue_s=settings.crl_overdue_s)
    try:
        authorities = read_authorities(settings.authorities)
    except (OSError, ValueError) as error:
        raise ValueError(f"INDEX_AUTHORITIES holds no certificates in PEM: {error}") from error
    return Trust(authorities, revocations)


def _now() -> datetime:
    return datetime.now(UTC)
