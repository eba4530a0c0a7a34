"""What a centre sets: read once, at the start; a bad value or an unknown name stops the start."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from ssl import SSLContext
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from gateway.configuration import PostgresqlUrl, ProgramSettings, load
from gateway.manifest.model import MadoCodes, ManifestForm
from gateway.model.decision import PublishOn
from gateway.security.callers import Caller
from gateway.security.policy import OpenAccess, is_loopback
from gateway.security.tls import client_context, server_context
from indexer.contract.identifiers import INS_NIA, INS_NIR, Oid, Uid

PREFIX: Final = "GATEWAY_"
MIB: Final = 2**20
"""The bytes of the unit of many settings."""

Port = Annotated[int, Field(ge=0, le=65535)]
AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[\x21-\x5b\x5d-\x7e]+$")]
CallerText = Annotated[str, AfterValidator(lambda text: Caller.parse(text) and text)]
OriginText = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$")]
UidText = Annotated[str, AfterValidator(lambda text: text and Uid(text))]
TimeOfDay = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")]
OidText = Annotated[str, AfterValidator(lambda text: text and Oid(text))]


class RetrieveBy(StrEnum):
    """How instances are pulled from a PACS."""

    MOVE = "move"
    """By C-MOVE to the gateway's own listener, which the PACS knows by its AE title."""
    GET = "get"
    """By C-GET, on the association that asks."""
    WADO = "wado"
    """By WADO-RS, from the PACS's own DICOMweb services."""


def _without_prefix(text: object) -> object:
    """`C-MOVE` is said for `move`, too, and `C-GET` for `get`."""
    return text.lower().removeprefix("c-") if isinstance(text, str) else text


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


class DicomPeer(BaseModel):
    """Whom the gateway calls. As an item of `GATEWAY_COMMITMENT_PEERS`: who is told the result of
    a storage commitment."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    ae_title: AeTitle
    """Its AE title; it may also associate with the gateway under it, if it is a PACS."""
    host: str
    port: Port
    tls: bool = False
    """Whether it is reached by TLS; the gateway shows its own certificate."""


class PacsSettings(DicomPeer):
    """One PACS of the centre: an item of `GATEWAY_PACS`, or a `[[pacs]]` table."""

    retrieve: Annotated[RetrieveBy, BeforeValidator(_without_prefix)] = RetrieveBy.MOVE
    """How instances are pulled from it."""
    patient_id_issuer: OidText = ""
    """OID of who gives its patient ids, where its data sets name nobody."""
    accession_issuer: OidText = ""
    """OID of who gives its accession numbers, where its data sets name nobody."""
    associations_max: PositiveInt = 4
    """Associations that the gateway opens to it at once."""
    moves_max: PositiveInt = 2
    """Those among them that pull instances; one association is always left to C-FIND."""
    wado_url: str = ""
    """Root of its DICOMweb services; needed where instances are pulled by them."""
    wado_authorization: SecretStr = SecretStr("")
    """What is sent to them as `Authorization`; empty: nothing."""

    @model_validator(mode="after")
    def _known_wado(self) -> Self:
        if self.wado_url and not _is_absolute(self.wado_url):
            raise ValueError("wado_url: not an absolute http or https address")
        if self.retrieve is RetrieveBy.WADO and not self.wado_url:
            raise ValueError("wado_url: to pull by WADO-RS, name the root of its services")
        return self


class Settings(ProgramSettings):
    """Environment variables `GATEWAY_…`, or a TOML file by `--config`; the environment wins."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    data_dir: Path = Path("gateway-data")
    """Folder of the instances, and of the database; made if it is not there."""
    database_url: PostgresqlUrl | None = None
    """Of a PostgreSQL database for the rows, `postgresql://…`; empty: SQLite in the data folder."""
    bind: str = "127.0.0.1"
    """Address that every port listens on."""
    http_port: Port = 8080
    dicom_port: Port = 11112
    dicom_tls_port: Port = 2762
    """Listened on only where a TLS certificate is set."""
    mllp_port: Port = 2575
    mllp_tls_port: Port | None = None
    """HL7 over TLS; not listened on where it is not set."""
    tls_certificate: Path | None = None
    """PEM file of the gateway's certificate; with it, `tls_key` and `tls_ca` are needed."""
    tls_key: Path | None = None
    """PEM file of its private key, without a passphrase."""
    tls_ca: Path | None = None
    """PEM file of the authorities whose peers are trusted by TLS."""
    ae_title: AeTitle = "DRIMBOX"
    """AE title of the gateway: what modalities and PACS call, and where a C-MOVE sends to."""
    index_url: str = "http://127.0.0.1:8090"
    """Root of the index."""
    index_protocol: Literal["mhd", "xds"] = "mhd"
    """What is spoken to the index: FHIR MHD, or XDS.b by SOAP."""
    signature_certificate: Path | None = None
    """PEM file of the structure's certificate of signature; with it the gateway proves to the index
    who asks, and signs what it submits by XDS.b."""
    signature_key: Path | None = None
    """PEM file of its private key (RSA), without a passphrase."""
    signature_sha1: bool = False
    """Sign with SHA-1, for an index that takes nothing newer."""
    software_number: str = ""
    """Number of the software (LPS_ID); it may be left out."""
    software_approval: str = ""
    """Number of the software's approval by the DMP (LPS_ID_HOMOLOGATION_DMP)."""
    record_retry_s: PositiveFloat = 24 * 3600.0
    """Seconds after which a record that is absent or closed, or refuses, is tried again."""
    public_url: str = ""
    """Base of every RetrieveURL, as viewers reach it; empty: what a trusted proxy tells, else the
    address that is listened on."""
    trusted_proxies: frozenset[IPvAnyNetwork] = frozenset()
    """Addresses, or networks, of proxies that are believed who asks, and at which address."""
    empty_search_status: Literal[200, 204] = 200
    """What a search that finds nothing is answered: 200 with an empty array, or 204."""
    uid_root: OidText = "2.25"
    """Root of the UIDs that the gateway makes."""
    location_uid: UidText = ""
    """Names the gateway for good, even where its address changes; empty: made from `public_url`."""
    organisation_id: str = ""
    """National number of the structure (FINESS, SIRET…), with its type's digit."""
    organisation_name: str = "Centre d'imagerie"
    publish_on: PublishOn = PublishOn.REPORT
    """What lets a pointer go: a validated report, or the images with a qualified INS."""
    author_id: str = ""
    """National number of the professional in whose name a pointer without a report goes."""
    author_name: str = ""
    """Family name and given name of that professional, as `FAMILY^GIVEN`."""
    facility_code: str = ""
    """Type of the facility (1.2.250.1.71.4.2.4, as `SA07`) of a pointer without a report."""
    practice_setting_code: str = ""
    """Setting of care (1.2.250.1.213.1.1.4.9, as `AMBULATOIRE`) of a pointer without a report."""
    region_code: str = ""
    """SNOMED CT code of the anatomic region where neither report nor order tells one."""
    time_zone: str = "Europe/Paris"
    """Zone of dates and times that come without an offset."""
    study_settle_s: PositiveFloat = 60.0
    """Seconds without a new instance after which a study that is pushed here is whole."""
    images_wait_s: PositiveFloat = 3600.0
    """Seconds that a report waits for its images before a person must look."""
    honour_destdmp: bool = True
    """Whether a report that asks for it (DESTDMP N) keeps its studies out of the index."""
    ins_oids: frozenset[OidText] = frozenset({INS_NIR, INS_NIA})
    """Authorities whose INS is taken; those for tests are added by `--open-access`, only."""
    manifest: ManifestForm = ManifestForm.FRENCH
    """Form of the manifests that are published."""
    mado_codes: MadoCodes = MadoCodes.TRIAL
    """Scheme of the concepts that MADO brought, in manifests of the form `mado`."""
    pacs: tuple[PacsSettings, ...] = ()
    """The centre's PACS, asked in this order."""
    cors_origins: frozenset[OriginText] = frozenset()
    """Origins whose pages may read DICOMweb in a browser, such as a viewer's."""
    calling_ae_titles: frozenset[CallerText] = frozenset()
    """AE titles that may associate, beside those of the PACS; `AE@address` or `AE@network` binds
    one, of a PACS too, to where it may be used."""
    commitment_peers: tuple[DicomPeer, ...] = ()
    """Where those listen who ask for storage commitment, beside the PACS."""
    hl7_senders: frozenset[IPvAnyAddress] = frozenset()
    """Addresses that may send HL7 messages."""
    instance_mib_max: PositiveInt = 4096
    """Longest instance taken by C-STORE or STOW-RS, in MiB."""
    reencoded_mib_max: PositiveInt = 512
    """Longest instance written anew in another transfer syntax, in MiB."""
    workers: NonNegativeInt = 0
    """Processes that rewrite instances; 0: one a core, at most 8."""
    worker_mib_max: PositiveInt = 1024
    """What each of them may allocate, in MiB."""
    metadata_mib_max: PositiveInt = 256
    """Disk for answers on metadata that are kept to be sent again, in MiB."""
    copies_mib_max: NonNegativeInt = 20_480
    """Kept here of what a PACS holds, too, in MiB; what was read longest ago is dropped."""
    disk_free_mib_min: NonNegativeInt = 1024
    """Left free on the disk, in MiB: below it what is sent here is refused, and below twice of it
    nothing is kept of what a PACS holds."""
    prefetch_mib_max: NonNegativeInt = 2048
    """Pulled from a PACS of one study before a viewer asks for it, in MiB; 0: nothing is."""
    prefetch_studies_max: PositiveInt = 2
    """Studies that are pulled so at once."""
    prefetch_priors_max: NonNegativeInt = 0
    """Earlier studies of a patient that are pulled when an order for them comes."""
    message_mib_max: PositiveInt = 32
    """Longest HL7 message, in MiB."""
    associations_max: PositiveInt = 64
    """DICOM associations served at once."""
    hl7_connections_max: PositiveInt = 64
    """MLLP connections served at once."""
    pacs_requests_max: PositiveInt = 16
    """C-FIND and C-MOVE requests under way at once, over all PACS."""
    sweep_from: TimeOfDay = "01:00"
    """When published studies begin to be compared with the PACS each night; empty: never."""
    sweep_to: TimeOfDay = "05:00"
    """When that ends; in the time zone of the centre, maybe the day after."""
    sweep_studies_max: PositiveInt = 20_000
    """Published studies that are compared in one night."""
    sweep_studies_per_s: PositiveFloat = 2.0
    """Published studies that are compared in a second."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone: name one as Europe/Paris") from None
        return name

    @field_validator("index_url", "public_url")
    @classmethod
    def _absolute_address(cls, url: str) -> str:
        if url and not _is_absolute(url):
            raise ValueError("not an absolute http or https address")
        return url

    @field_validator("ins_oids")
    @classmethod
    def _no_test_ins(cls, oids: frozenset[str]) -> frozenset[str]:
        if oids & OpenAccess.more_ins_oids:
            raise ValueError("INS of tests are taken with --open-access only")
        return oids

    @model_validator(mode="after")
    def _told_without_a_report(self) -> Self:
        needed = ("organisation_id", "author_id", "facility_code", "practice_setting_code")
        missing = [name for name in needed if not getattr(self, name)]
        if self.publish_on is PublishOn.IMAGES and missing:
            names = ", ".join(PREFIX + name.upper() for name in missing)
            raise ValueError(f"to publish on images, what a report would tell is needed: {names}")
        return self

    @model_validator(mode="after")
    def _distinct_pacs(self) -> Self:
        titles = [one.ae_title for one in self.pacs]
        if len(titles) != len(set(titles)):
            raise ValueError("two PACS share an AE title")
        if len(titles) > self.pacs_requests_max:
            raise ValueError("pacs_requests_max: each PACS needs at least one request at a time")
        return self

    @model_validator(mode="after")
    def _distinct_ports(self) -> Self:
        taken: dict[int, str] = {}
        for name, port in self.ports.items():
            if port and (other := taken.setdefault(port, name)) != name:
                raise ValueError(f"{other} and {name} are both {port}")
        return self

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        files = (self.tls_certificate, self.tls_key, self.tls_ca)
        if any(files) and not all(files):
            raise ValueError("TLS needs tls_certificate, tls_key and tls_ca, or none of them")
        if self.mllp_tls_port is not None and not all(files):
            raise ValueError("mllp_tls_port needs tls_certificate, tls_key and tls_ca")
        if self.peers_by_tls and not all(files):
            raise ValueError("a peer that is reached by TLS needs tls_certificate and tls_ca, too")
        self.tls_context()  # a file that cannot be used stops the start, too
        return self

    @model_validator(mode="after")
    def _whole_signature(self) -> Self:
        if bool(self.signature_certificate) != bool(self.signature_key):
            raise ValueError("signature_certificate and signature_key: set both, or neither")
        told = (self.organisation_id, self.facility_code, self.software_approval)
        if self.signature_certificate and not all(told):
            raise ValueError(
                "who signs tells who asks: set organisation_id, facility_code and software_approval"
            )
        return self

    @model_validator(mode="after")
    def _whole_night(self) -> Self:
        if bool(self.sweep_from) != bool(self.sweep_to):
            raise ValueError("sweep_from and sweep_to: set both, or empty both")
        if self.sweep_from and self.sweep_from == self.sweep_to:
            raise ValueError("sweep_to: a night ends at another time than it begins")
        return self

    def tls_context(self) -> SSLContext | None:
        """For every TLS listener; None where no certificate is set.

        Raises:
            ValueError: a file cannot be used; the message names the setting.
        """
        return self._tls(server_context)

    def tls_context_as_client(self) -> SSLContext | None:
        """For every connection that is opened by TLS; None where no certificate is set.

        Raises:
            ValueError: a file cannot be used; the message names the setting.
        """
        return self._tls(client_context)

    def _tls(self, build: Callable[..., SSLContext]) -> SSLContext | None:
        if not (self.tls_certificate and self.tls_key and self.tls_ca):
            return None
        return build(certificate=self.tls_certificate, key=self.tls_key, ca=self.tls_ca)

    @property
    def peers_by_tls(self) -> tuple[str, ...]:
        """AE titles of those who are reached by TLS."""
        peers: tuple[DicomPeer, ...] = (*self.pacs, *self.commitment_peers)
        return tuple(peer.ae_title for peer in peers if peer.tls)

    @property
    def ports(self) -> dict[str, int]:
        """What is listened on, by the setting's name; of 0 a free one is taken."""
        ports = {"http_port": self.http_port, "dicom_port": self.dicom_port}
        if self.tls_certificate is not None:
            ports["dicom_tls_port"] = self.dicom_tls_port
        ports["mllp_port"] = self.mllp_port
        if self.mllp_tls_port is not None:
            ports["mllp_tls_port"] = self.mllp_tls_port
        return ports

    @property
    def base_url(self) -> str:
        """Base of every RetrieveURL."""
        return self.public_url.rstrip("/") or f"http://{self.bind}:{self.http_port}"

    @property
    def own_location_uid(self) -> Uid:
        """What names the gateway: as set, or the same for the same base URL."""
        made = uuid5(NAMESPACE_URL, self.base_url).int
        return Uid(self.location_uid or f"2.25.{made}")


def load_settings(config: Path | None) -> Settings:
    """The settings; see `gateway.configuration.load`."""
    return load(Settings, config)


def check_open_access(settings: Settings) -> None:
    """Open access is for this machine alone.

    Raises:
        ValueError: the gateway would listen on another address.
    """
    if not is_loopback(settings.bind):
        raise ValueError("--open-access listens on loopback only: leave GATEWAY_BIND at 127.0.0.1")
