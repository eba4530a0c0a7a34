"""Search Transaction (PS3.18 §10.6) on what the catalogue knows.

A search that finds nothing is answered 200 with an empty array. The standard asked for 204 until
2024 and for 200 since; a client that reads JSON reads an empty array in either case.
"""

from typing import Any, Protocol

import orjson
from starlette.types import Receive, Scope, Send

from gateway.catalogue.search import COUNT_MAX, Match, SearchPage
from gateway.dicomweb.dicom_json import JsonDataSet, element
from gateway.dicomweb.negotiation import JSON_TYPES, document_type
from gateway.dicomweb.qido import SearchLevel, SearchQuery, parse_query
from gateway.errors import AccessDenied
from gateway.model.access import AccessContext
from gateway.model.image import ImageDescription
from gateway.model.resource import Resource
from gateway.retrieval.endpoints.answering import WARNING, Body, Request, read_request
from gateway.security.policy import Policy
from indexer.contract.identifiers import Uid


class Searched(Protocol):
    """What is searched."""

    async def find(self, query: SearchQuery) -> SearchPage:
        """The page that the query's limit and offset name."""


class Searcher:
    """Finds what the caller may see.

    Args:
        policy: decides on the study that the address names before the catalogue is asked, and on
            each study found before it is told.
        catalogue: is searched.
    """

    def __init__(self, policy: Policy, catalogue: Searched) -> None:
        self._policy = policy
        self._catalogue = catalogue

    async def search(
        self, access: AccessContext, query: SearchQuery, *, within: Uid | None
    ) -> SearchPage:
        """One page of results.

        Args:
            within: the study that the address names; None where it searches all.

        Raises:
            AccessDenied: policy refused the study that the address names.
        """
        if within is not None:
            verdict = await self._policy.decide(access, Resource(study=within))
            if not verdict.permitted:
                raise AccessDenied(verdict.reason)
        page = await self._catalogue.find(query)
        studies = {match.study for match in page.matches}
        shown = {study for study in studies if await self._permitted(access, study)}
        matches = [match for match in page.matches if match.study in shown]
        return SearchPage(matches=matches, additional=page.additional)

    async def _permitted(self, access: AccessContext, study: Uid) -> bool:
        return (await self._policy.decide(access, Resource(study=study))).permitted


class SearchEndpoint:
    """Answers searches at one level.

    Args:
        level: what the results are.
        retrieve_url: the address of DICOMweb as viewers reach it, for every RetrieveURL.
    """

    def __init__(
        self, policy: Policy, searcher: Searcher, *, level: SearchLevel, retrieve_url: str
    ) -> None:
        self._policy = policy
        self._searcher = searcher
        self._level = level
        self._retrieve_url = retrieve_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        content_type = document_type(request.accepted, JSON_TYPES)
        body = Body(send)
        query, within = self._query(request)
        page = await self._searcher.search(request.access, query, within=within)
        told = [self._attributes(match, within) for match in page.matches]
        content = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        warnings = tuple(WARNING.format(text) for text in (*query.warnings, *_more(page)))
        await body.begin(content_type, size_bytes=len(content), warnings=warnings)
        await body.write(content, more=False)

    def _query(self, request: Request) -> tuple[SearchQuery, Uid | None]:
        named = request.uids()
        study, series = named.get("study"), named.get("series")
        parameters = request.query.multi_items()
        return parse_query(self._level, parameters, study=study, series=series), study

    def _attributes(self, match: Match, within: Uid | None) -> JsonDataSet:
        image = match.description
        url = f"{self._retrieve_url}/studies/{match.study}"
        told = {"00080005": element("CS", "ISO_IR 192"), "00080056": element("CS", "ONLINE")}
        if within is None:
            told |= _of_study(image)
        told["0020000D"] = element("UI", match.study)
        if self._level is SearchLevel.STUDIES:
            told |= {
                "00080061": element("CS", *match.modalities),
                "00201206": element("IS", match.series_count),
                "00201208": element("IS", match.instance_count),
            }
        else:
            url += f"/series/{image.series}"
            told |= _of_series(image)
        if self._level is SearchLevel.SERIES:
            told["00201209"] = element("IS", match.instance_count)
        if self._level is SearchLevel.INSTANCES:
            url += f"/instances/{image.instance}"
            told |= _of_instance(image)
        told["00081190"] = element("UR", url)
        return told


def _of_study(image: ImageDescription) -> JsonDataSet:
    """Attributes of PS3.18 Table 10.6.3-3 that a description holds."""
    patient = image.patient
    return {
        "00080020": element("DA", image.study_date),
        "00080030": element("TM", image.study_time),
        "00080050": element("SH", image.accession.value),
        "00080090": element("PN", image.referring_physician),
        "00081030": element("LO", image.study_description),
        "00100010": element("PN", patient.name),
        "00100020": element("LO", patient.local_id.value),
        "00100030": element("DA", patient.birth_date),
        "00100040": element("CS", patient.sex),
        "00200010": element("SH", image.study_id),
    }


def _of_series(image: ImageDescription) -> JsonDataSet:
    """Attributes of PS3.18 Table 10.6.3-4."""
    return {
        "00080060": element("CS", image.modality),
        "0008103E": element("LO", image.series_description),
        "0020000E": element("UI", image.series),
        "00200011": element("IS", _number(image.series_number)),
    }


def _of_instance(image: ImageDescription) -> JsonDataSet:
    """Attributes of PS3.18 Table 10.6.3-5; those that only images have are told of images only."""
    told = {
        "00080016": element("UI", image.sop_class),
        "00080018": element("UI", image.instance),
        "00200013": element("IS", _number(image.instance_number)),
    }
    of_images: dict[str, tuple[str, Any]] = {
        "00280008": ("IS", image.frames),
        "00280010": ("US", image.rows),
        "00280011": ("US", image.columns),
        "00280100": ("US", image.bits_allocated),
    }
    known = {tag: one for tag, one in of_images.items() if one[1] is not None}
    return told | {tag: element(vr, value) for tag, (vr, value) in known.items()}


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _more(page: SearchPage) -> tuple[str, ...]:
    if page.additional <= 0:
        return ()
    least = "at least " if page.additional >= COUNT_MAX else ""
    count = f"{least}{page.additional}"
    return (f"There are {count} additional results that can be requested",)
