"""Programs and files that tests meet and that the project does not ship.

A test asks for what it needs. Where that is missing, the test is skipped with the reason and the
one command that helps; `REQUIRE_PEERS=1` makes a missing program a failure instead.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]

PACKAGES = {
    "dcmtk": "dcm2json dcm2pnm dcm2xml dcmconv dcmdjpeg dcmdjpls dcmdrle dcmdump dcmj2pnm dcml2pnm"
    " dcmmkdir dcmodify dcmqrscp dcmsend echoscu findscu getscu movescu storescp storescu termscu",
    "chromium": "chromium",
    "curl": "curl",
    "dicom3tools": "dciodvfy",
    "libgdcm-tools": "gdcmconv",
    "nginx": "nginx",
    "openssl": "openssl",
    "orthanc": "Orthanc",
}
PACKAGE_OF = {
    program: package for package, programs in PACKAGES.items() for program in programs.split()
}


def peer(program: str) -> Path:
    """Where a peer's program lies, such as `storescu`, `Orthanc` or `dciodvfy`."""
    package = PACKAGE_OF[program]
    # Debian puts servers where only root's PATH looks.
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(program, path=places)
    if found is None:
        _miss(f"{package} is not installed: make peers")
    return Path(found)


def orthanc_plugin(name: str) -> Path:
    """Where Orthanc's `DicomWeb` or `Python` plug-in lies, each a package of its own."""
    path = Path(f"/usr/share/orthanc/plugins/libOrthanc{name}.so")
    if not path.exists():
        _miss(f"orthanc-{name.lower()} is not installed: make peers")
    return path


def script(name: str) -> Path:
    """The folder of what npm publishes, such as `@ohif/app`, of the version that is tested."""
    found = sorted((ROOT / ".peers").glob(f"{name.removeprefix('@').replace('/', '-')}-[0-9]*"))
    if not found:
        _miss(f"{name} is not here: make peers")
    return found[-1]


def postgresql_programs() -> Path:
    """The folder of `initdb` and `postgres`, which Debian keeps off every PATH."""
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if not newest_first:
        _miss("postgresql is not installed: make peers")
    return newest_first[0].parent


def shared_data() -> Path:
    """The folder of third-party DICOM and HL7 files, which are test inputs beside the project."""
    folder = Path(os.environ.get("DRIM_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the third-party files are not here: make test DRIM_TEST_DATA=FOLDER")
    return folder


def _miss(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
