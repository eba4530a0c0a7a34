"""What a manifest tells of the centre that makes it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid

AE_TITLE_LENGTH_MAX = 16  # characters, PS3.5 §6.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The centre as its peers know it; the same for every study.

    Raises:
        InvalidRequest: a value that no data set can hold: a public URL that is no absolute
            address in ASCII, or an AE title that is none.
    """

    public_url: str
    """Base of every Retrieve URL, as other gateways reach this one."""
    ae_title: str
    location_uid: Uid
    """Names this gateway for good, even where its address changes (PS3.3 §C.17.2.1); also the
    source of its submissions (ITI TF-3 §4.2.3.3.9)."""
    organisation_id: str
    """National number of the structure (1.2.250.1.71.4.2.2)."""
    organisation_name: str
    time_zone: ZoneInfo
    manufacturer: str

    def __post_init__(self) -> None:
        scheme, _, rest = self.public_url.partition("://")
        printable = self.public_url.isascii() and self.public_url.isprintable()
        if scheme not in ("http", "https") or not rest or not printable or " " in rest:
            raise InvalidRequest("the public URL is not an absolute http or https address")
        title = self.ae_title
        if not title.strip() or len(title) > AE_TITLE_LENGTH_MAX or "\\" in title:
            raise InvalidRequest("the AE title is none: 1 to 16 characters, not all blank")
        if not (title.isascii() and title.isprintable()):
            raise InvalidRequest("the AE title is none: only printable ASCII is allowed")

    def retrieve_url(self, study: Uid, series: Uid) -> str:
        """Where a series can be had by WADO-RS (PS3.18 §10.4.1.1.2)."""
        base = self.public_url.rstrip("/")
        return f"{base}/dicom-web/studies/{study}/series/{series}"
