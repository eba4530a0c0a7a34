"""What a caller of DICOMweb asks for."""

from dataclasses import dataclass

from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A study, one of its series, or one of its instances (PS3.18 §10.4.1.1.1).

    Raises:
        InvalidRequest: an instance without its series.
    """

    study: Uid
    series: Uid | None = None
    instance: Uid | None = None

    def __post_init__(self) -> None:
        if self.instance is not None and self.series is None:
            raise InvalidRequest("an instance is named within its series")

    @property
    def path(self) -> str:
        """Its address below that of DICOMweb."""
        levels = {"studies": self.study, "series": self.series, "instances": self.instance}
        return "".join(f"/{level}/{uid}" for level, uid in levels.items() if uid is not None)
