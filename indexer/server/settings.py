"""What the index is told at its start: `INDEX_…` in the environment, or a TOML file."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from gateway.configuration import PostgresqlUrl, ProgramSettings, load
from indexer.server.rights.habilitations import load_matrix


class RecordsKept(StrEnum):
    """Which patients have a record."""

    ANY = "any"
    LISTED = "listed"


class IndexSettings(ProgramSettings):
    """Read at the start; a bad value stops the start, and so does an unknown name."""

    model_config = SettingsConfigDict(
        env_prefix="INDEX_", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    http_port: int = Field(default=8090, ge=0, le=65535)
    """Port for FHIR, XDS.b and probes; 0 takes a free one, which the event `listening` names."""

    bind: IPv4Address | IPv6Address = ip_address("127.0.0.1")
    """Address to listen at; with open access only a loopback address is taken."""

    data_dir: Path = Path("index-data")
    """Folder of the database; it is made if it is not there."""

    database_url: PostgresqlUrl | None = None
    """Of a PostgreSQL database, `postgresql://…`; empty: SQLite in the data folder."""

    # A value of SQLite ends at 10^9 bytes, and a batch of documents is one.
    body_mib_max: int = Field(default=64, ge=1, le=900)
    """MiB that the body of a submission may have; base64 makes a document larger by a third.

    An answer to ITI-43 holds no more documents than this, unless it is one alone."""

    records: RecordsKept = RecordsKept.ANY
    """Who has a record: `any` patient, open until its holder closes it; or those `listed`, who
    had one opened."""

    habilitations: Path | None = None
    """A table of the habilitation matrix, instead of the default that is shipped."""

    @field_validator("habilitations")
    @classmethod
    def _is_a_matrix(cls, file: Path | None) -> Path | None:
        load_matrix(file)
        return file

    authorities: Path | None = None
    """PEM file of the authorities whose certificates speak for structures; with it, who shows a
    VIHF that is true is let in. Without it nobody is, but with open access."""

    crl_dir: Path | None = None
    """Folder of the authorities' revocation lists (`*.crl`). Without it none is looked at."""

    crl_overdue_s: float = Field(default=0.0, ge=0, le=30 * 86400)
    """Seconds for which a revocation list is believed after its next one was due."""

    assertion_audience: str = "urn:dmp"
    """Whom an assertion must be for, where it says for whom it is."""

    assertion_age_s: float = Field(default=300.0, ge=1, le=3600)
    """Seconds for which an assertion is good after it was issued."""

    assertion_skew_s: float = Field(default=30.0, ge=0, le=300)
    """Seconds by which the clock of who issued it may differ."""

    accept_sha1: bool = False
    """Whether what is signed may be signed with SHA-1, as older programs do."""

    patient_portals: frozenset[str] = frozenset()
    """National numbers of structures that may vouch for patients and their representatives."""

    sites: dict[str, str] = Field(default_factory=dict)
    """National number of a site (EG), and that of the legal entity (EJ) whose certificate may speak
    for it."""

    signature_required: bool = False
    """Whether each submission must have a signature document, as at the DMP."""

    @property
    def postgresql_url(self) -> str:
        """The address of the database, with its password; empty: SQLite in the data folder."""
        return self.database_url.get_secret_value() if self.database_url else ""


def load_settings(config: Path | None) -> IndexSettings:
    """The settings; see `gateway.configuration.load`."""
    return load(IndexSettings, config)
