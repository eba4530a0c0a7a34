"""Reads the series of a key object manifest: from its evidence, its text and its Image Library."""

from collections import defaultdict
from dataclasses import replace

from pydicom.dataset import Dataset

from gateway.errors import InvalidRequest
from gateway.manifest import values
from gateway.manifest.concepts import content_tree, read_code
from gateway.manifest.description import SeriesWords, read_description
from gateway.manifest.elements import first, items, text
from gateway.manifest.image_library import InstanceWords, Library, SeriesEntry
from gateway.manifest.limits import address, ensure_listed, series_address
from gateway.manifest.model import ManifestInstance, ManifestSeries, Selection
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.identifiers import Uid

_NO_WORDS = SeriesWords(modality="", description="")


def read_series(
    document: Dataset, library: Library, schemes: dict[str, str]
) -> tuple[ManifestSeries, ...]:
    """The series of the evidence (PS3.3 §C.17.2.1), with what else is told of them.

    Raises:
        InvalidRequest: the evidence lists another study, nothing, or more than is read.
        InvalidValue: a UID is none.
    """
    evidence = items(document, "CurrentRequestedProcedureEvidenceSequence")
    study = Uid(text(document, "StudyInstanceUID"))
    if any(text(one, "StudyInstanceUID") != study for one in evidence):
        raise InvalidRequest("the manifest lists another study than its own")
    listed = [one for item in evidence for one in items(item, "ReferencedSeriesSequence")]
    ensure_listed(sum(len(items(one, "ReferencedSOPSequence")) for one in listed))
    words = _words(document)
    # The demonstrator's first manifests have the address at the study, too, or only there.
    above = next((url for one in (*evidence, document) if (url := _url(one))), "")
    found = [
        _one_series(one, library.series, words.get(text(one, "SeriesInstanceUID"), _NO_WORDS))
        for one in listed
    ]
    placed = (
        replace(one, retrieve_url=series_address(one.retrieve_url or above, study, one.series))
        for one in found
    )
    return _with_selections(tuple(placed), _selections(listed, schemes))


def _one_series(
    item: Dataset, library: dict[str, SeriesEntry], told: SeriesWords
) -> ManifestSeries:
    series = Uid(text(item, "SeriesInstanceUID"))
    entry = library.get(series, SeriesEntry())
    instances = tuple(
        _instance(one, entry.instances) for one in items(item, "ReferencedSOPSequence")
    )
    only_key_objects = {one.sop_class for one in instances} == {KEY_OBJECTS}
    return ManifestSeries(
        series=series,
        modality=told.modality or entry.modality or ("KO" if only_key_objects else ""),
        number=values.number(text(item, "SeriesNumber")) or values.number(entry.number),
        description=told.description or entry.description,
        date=values.date(entry.date),
        time=values.time(entry.time),
        region=entry.region,
        retrieve_url=_url(item),
        location_uid=text(item, "RetrieveLocationUID"),
        instances=instances,
    )


def _instance(item: Dataset, told: dict[str, InstanceWords]) -> ManifestInstance:
    instance = Uid(text(item, "ReferencedSOPInstanceUID"))
    words = told.get(instance, InstanceWords())
    frames = values.number(text(item, "NumberOfFrames")) or values.number(words.frames)
    return ManifestInstance(
        instance=instance,
        sop_class=Uid(text(item, "ReferencedSOPClassUID")),
        number=values.number(text(item, "InstanceNumber")) or values.number(words.number),
        frames=int(frames) if frames and int(frames) > 0 else None,
        selection=words.selection,
    )


def _words(document: Dataset) -> dict[str, SeriesWords]:
    """What the description tells; early manifests have it at the root, outside the tree."""
    tree = [text(one, "TextValue") for one in content_tree(document)]
    return read_description("\n".join([*tree, text(document, "TextValue")]))


def _selections(listed: list[Dataset], schemes: dict[str, str]) -> dict[str, Selection]:
    """By key object document, what French manifests tell of it beside each image it selects."""
    told: dict[str, Selection] = {}
    images: dict[str, list[Uid]] = defaultdict(list)
    for series in listed:
        for image in items(series, "ReferencedSOPSequence"):
            for one in items(image, "ReferencedSOPSequence"):
                key_object = text(one, "ReferencedSOPInstanceUID")
                images[key_object].append(Uid(text(image, "ReferencedSOPInstanceUID")))
                if key_object not in told:
                    content = first(one, "ContentSequence") or Dataset()
                    title = read_code(one, "ConceptNameCodeSequence", schemes)
                    told[key_object] = Selection(title=title, text=text(content, "TextValue"))
    return {uid: replace(one, instances=tuple(images[uid])) for uid, one in told.items()}


def _with_selections(
    series: tuple[ManifestSeries, ...], told: dict[str, Selection]
) -> tuple[ManifestSeries, ...]:
    if not told:
        return series
    return tuple(
        replace(
            one,
            instances=tuple(
                replace(each, selection=told.get(each.instance, each.selection))
                for each in one.instances
            ),
        )
        for one in series
    )


def _url(item: Dataset) -> str:
    return address(text(item, "RetrieveURL"))
