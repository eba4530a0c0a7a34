"""What is told of searches, to who asks what the service can do, is what they heed."""

from pydicom._dicom_dict import DicomDictionary

from gateway.dicomweb.attributes import ATTRIBUTES, SearchLevel
from gateway.dicomweb.qido import parse_query
from gateway.errors import InvalidRequest
from gateway.retrieval.transactions import methods_of


def told() -> set[str]:
    search = methods_of("/dicom-web/studies", ["GET", "HEAD"])["GET"]
    assert search.title.startswith("Search")
    return set(search.query)


def is_heeded(name: str) -> bool:
    """Whether a value is looked at: it is taken, or it is not one that it can have."""
    try:
        warnings = parse_query(SearchLevel.STUDIES, [(name, "1")]).warnings
    except InvalidRequest:
        return True
    return not any("parameter is not supported" in one for one in warnings)


def test_what_is_told_is_heeded() -> None:
    assert {name for name in told() if not is_heeded(name)} == set()


def test_each_attribute_that_is_heeded_is_told() -> None:
    keywords = {entry[4] for entry in DicomDictionary.values()} | {one.path for one in ATTRIBUTES}

    assert {name for name in keywords if name and is_heeded(name)} <= told()
