"""Programs that run for all tests here, and whose logs are shown when a test fails."""

from collections.abc import Generator, Iterator

import pytest

from tests.interop.studies import assert_names_nobody
from tests.support.ports import free_port
from tests.support.programs import Gateway, Index, Orthanc, a_gateway, an_index, an_orthanc


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with an_index(tmp_path_factory.mktemp("index")) as running:
        yield running
        assert_names_nobody(running.program)


@pytest.fixture(scope="session")
def open_gateway(tmp_path_factory: pytest.TempPathFactory, index: Index) -> Iterator[Gateway]:
    """A gateway for everyone, that images are pushed to and that publishes in the index."""
    settings = {"GATEWAY_INDEX_URL": index.url, "GATEWAY_STUDY_SETTLE_S": "0.2"}
    with a_gateway(tmp_path_factory.mktemp("gateway"), settings=settings) as running:
        yield running
        assert_names_nobody(running.program)


@pytest.fixture(scope="module")
def dicom_port() -> int:
    """Where the gateway of a module will listen, which its PACS must know before."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(dicom_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A PACS that knows the gateway and a modality."""
    modalities = {"gateway": ("DRIMBOX", dicom_port), "modality": ("STORESCU", free_port())}
    with an_orthanc(tmp_path_factory.mktemp("orthanc"), modalities=modalities) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of each program's log to the report of a test that failed."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for one in item.funcargs.values():
            if isinstance(one, Gateway | Index | Orthanc):
                report.sections.append((f"log of the {one.program.name}", one.program.tail()))
    return report
