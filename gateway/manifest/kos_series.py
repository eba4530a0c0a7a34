"""Reads the series of a key object manifest: from its evidence, its text and its Image Library."""

from collections import defaultdict
from dataclasses import replace
from functools import lru_cache

from gateway.errors import InvalidRequest
from gateway.manifest import values
from gateway.manifest.concepts import read_code
from gateway.manifest.data_set import DataSet, holding
from gateway.manifest.description import SeriesWords, read_description
from gateway.manifest.image_library import InstanceWords, Library, SeriesEntry
from gateway.manifest.limits import address, ensure_listed, series_address
from gateway.manifest.model import ManifestInstance, ManifestSeries, Selection
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.identifiers import Uid

_NO_WORDS = SeriesWords(modality="", description="")
_NO_INSTANCE_WORDS = InstanceWords()


def read_series(
    document: DataSet, tree: list[DataSet], library: Library, schemes: dict[str, str]
) -> tuple[ManifestSeries, ...]:
    """The series of the evidence (PS3.3 §C.17.2.1), with what else is told of them.

    Raises:
        InvalidRequest: the evidence lists another study, nothing, or more than is read.
        InvalidValue: a UID is none.
    """
    evidence = document.items("CurrentRequestedProcedureEvidenceSequence")
    study = Uid(document.text("StudyInstanceUID"))
    if any(one.text("StudyInstanceUID") != study for one in evidence):
        raise InvalidRequest("the manifest lists another study than its own")
    listed = [one for item in evidence for one in item.items("ReferencedSeriesSequence")]
    ensure_listed(sum(len(one.items("ReferencedSOPSequence")) for one in listed))
    words = _words(document, tree)
    # The demonstrator's first manifests have the address at the study, too, or only there.
    above = next((url for one in (*evidence, document) if (url := _url(one))), "")
    found = [
        _one_series(one, library.series, words.get(one.text("SeriesInstanceUID"), _NO_WORDS))
        for one in listed
    ]
    placed = (
        replace(one, retrieve_url=series_address(one.retrieve_url or above, study, one.series))
        for one in found
    )
    return _with_selections(tuple(placed), _selections(listed, schemes))


def _one_series(
    item: DataSet, library: dict[str, SeriesEntry], told: SeriesWords
) -> ManifestSeries:
    series = Uid(item.text("SeriesInstanceUID"))
    entry = library.get(series, SeriesEntry())
    instances = tuple(
        _instance(one, entry.instances) for one in item.items("ReferencedSOPSequence")
    )
    only_key_objects = {one.sop_class for one in instances} == {KEY_OBJECTS}
    return ManifestSeries(
        series=series,
        modality=told.modality or entry.modality or ("KO" if only_key_objects else ""),
        number=values.number(item.text("SeriesNumber")) or values.number(entry.number),
        description=told.description or entry.description,
        date=values.date(entry.date),
        time=values.time(entry.time),
        region=entry.region,
        retrieve_url=_url(item),
        location_uid=item.text("RetrieveLocationUID"),
        instances=instances,
    )


_sop_class = lru_cache(maxsize=256)(Uid)
"""One of a few; whether a text is a UID takes as long to find out as all else of an instance."""


def _frames(told: str) -> int | None:
    """At least 1, where the text tells how many."""
    return max(int(values.number(told) or 0), 0) or None


def _instance(item: DataSet, told: dict[str, InstanceWords]) -> ManifestInstance:
    instance = Uid(item.text("ReferencedSOPInstanceUID"))
    words = told.get(instance, _NO_INSTANCE_WORDS) if told else _NO_INSTANCE_WORDS
    return ManifestInstance(
        instance=instance,
        sop_class=_sop_class(item.text("ReferencedSOPClassUID")),
        number=values.number(item.text("InstanceNumber")) or values.number(words.number),
        frames=_frames(item.text("NumberOfFrames")) or _frames(words.frames),
        selection=words.selection,
    )


def _words(document: DataSet, tree: list[DataSet]) -> dict[str, SeriesWords]:
    """What the description tells; early manifests have it at the root, outside the tree."""
    told = [one.text("TextValue") for one in holding(tree, "TextValue")]
    return read_description("\n".join([*told, document.text("TextValue")]))


def _selections(listed: list[DataSet], schemes: dict[str, str]) -> dict[str, Selection]:
    """By key object document, what French manifests tell of it beside each image it selects."""
    told: dict[str, Selection] = {}
    images: dict[str, list[Uid]] = defaultdict(list)
    for series in listed:
        for image in holding(series.items("ReferencedSOPSequence"), "ReferencedSOPSequence"):
            for one in image.items("ReferencedSOPSequence"):
                key_object = one.text("ReferencedSOPInstanceUID")
                images[key_object].append(Uid(image.text("ReferencedSOPInstanceUID")))
                if key_object not in told:
                    content = one.first("ContentSequence")
                    title = read_code(one, "ConceptNameCodeSequence", schemes)
                    told[key_object] = Selection(title=title, text=content.text("TextValue"))
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


def _url(item: DataSet) -> str:
    return address(item.text("RetrieveURL"))
