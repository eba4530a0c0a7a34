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
