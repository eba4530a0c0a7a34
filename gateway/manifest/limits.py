"""How much of a manifest is read, whatever its form, and which addresses are taken from it."""

from typing import Final

from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid

INSTANCES_MAX: Final = 20_000
URL_LENGTH_MAX: Final = 2048  # characters


def ensure_listed(count: int) -> None:
    """Check how many instances a manifest lists.

    Raises:
        InvalidRequest: none, or more than INSTANCES_MAX.
    """
    if count == 0:
        raise InvalidRequest("no manifest: it lists no instance")
    if count > INSTANCES_MAX:
        raise InvalidRequest(f"the manifest lists more than {INSTANCES_MAX} instances")


def address(url: str) -> str:
    """The address, or empty where it is none that can be asked."""
    asked = url.startswith(("http://", "https://")) and url.isascii() and url.isprintable()
    return url if asked and " " not in url and len(url) <= URL_LENGTH_MAX else ""


def series_address(url: str, study: Uid, series: Uid) -> str:
    """The address of the series: MADO gives the service's, and others the study's."""
    if not url or "/series/" in url:
        return url
    base = url.rstrip("/")
    of_study = base if f"/studies/{study}" in base else f"{base}/studies/{study}"
    return f"{of_study}/series/{series}"
