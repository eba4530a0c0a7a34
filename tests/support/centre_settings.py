"""Settings of a gateway that is looked at and not started."""

from pathlib import Path

from gateway.settings import Settings
from tests.support.certificates import Authority
from tests.support.ports import free_port


def settings(folder: Path, **told: object) -> Settings:
    """Of a gateway with free ports and without neighbours."""
    ports = {f"{door}_port": free_port() for door in ("http", "dicom", "mllp")}
    return Settings.model_validate({"data_dir": folder / "data", **ports, **told})


def with_tls(folder: Path, authority: Authority, *, days: int, **told: object) -> Settings:
    own = authority.certify("gateway", days=days)
    files = {"tls_certificate": own.certificate, "tls_key": own.key, "tls_ca": authority.ca}
    return settings(folder, **files, **told)
