"""Search Transaction (PS3.18 §10.6) on what the catalogue knows, as DICOM JSON or XML.

A search that finds nothing is answered 200 with an empty array, or 204 where the centre says so:
the standard asked for 204 until 2024 and for 200 since. There is no body of no XML documents, so
that a client of XML is always answered 204.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

from starlette.types import Receive, Scope, Send

from gateway.catalogue.members import put, write_object
from gateway.catalogue.search import COUNT_MAX, Match, SearchPage
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.codings import OF_TEXTS, SMALL_BYTES, Coding, Effort, packed
from gateway.dicomweb.dicom_json import JsonArray
from gateway.dicomweb.dicom_xml import XmlParts
from gateway.dicomweb.negotiation import DICOM_XML, data_set_form
from gateway.dicomweb.qido import SearchQuery, parse_query
from gateway.errors import AccessDenied
from gateway.model.access import AccessContext
from gateway.model.resource import Resource
from gateway.retrieval.endpoints.answering import (
    BY_CODING,
    WARNING,
    Body,
    Request,
    read_request,
)
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
        studies = {match.resource.study for match in page.matches}
        shown = {study for study in studies if await self._permitted(access, study)}
        matches = [match for match in page.matches if match.resource.study in shown]
        return SearchPage(matches=matches, additional=page.additional)

    async def _permitted(self, access: AccessContext, study: Uid) -> bool:
        return (await self._policy.decide(access, Resource(study=study))).permitted


class SearchEndpoint:
    """Answers searches at one level.

    Args:
        level: what the results are.
        nothing_found: 200 or 204, what a search is answered that finds nothing.
    """

    def __init__(
        self,
        policy: Policy,
        searcher: Searcher,
        *,
        level: SearchLevel,
        nothing_found: int,
    ) -> None:
        self._policy = policy
        self._searcher = searcher
        self._level = level
        self._nothing_found = nothing_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy, codings=OF_TEXTS)
        asked = data_set_form(request.accepted).kind
        form = XmlParts() if asked == DICOM_XML else JsonArray(asked)
        query, within = self._query(request)
        page = await self._searcher.search(request.access, query, within=within)
        warnings = tuple(WARNING.format(text) for text in (*query.warnings, *_more(page)))
        body = Body(send, vary=BY_CODING)
        is_empty = not page.matches
        if is_empty and (asked == DICOM_XML or self._nothing_found == HTTPStatus.NO_CONTENT):
            await body.begin_without_content(warnings=warnings)
            return
        content = b"".join([*_written(page.matches, query, form, request.root_url), form.end()])
        coding = request.coding
        if len(content) <= SMALL_BYTES and request.as_is:
            coding = Coding.AS_IS
        if coding is not Coding.AS_IS:
            content = await asyncio.to_thread(packed, content, coding, Effort.ONCE)
        await body.begin(
            form.content_type, size_bytes=len(content), warnings=warnings, coding=coding
        )
        await body.write(content, more=False)

    def _query(self, request: Request) -> tuple[SearchQuery, Uid | None]:
        named = request.uids()
        study, series = named.get("study"), named.get("series")
        parameters = request.query.multi_items()
        return parse_query(self._level, parameters, study=study, series=series), study


def _written(
    matches: Iterable[Match], query: SearchQuery, form: JsonArray | XmlParts, root_url: str
) -> Iterable[bytes]:
    for match in matches:
        put(match.members, "RetrieveURL", root_url + match.resource.path)
        yield form.data_set(write_object(match.members, query.tags))


def _more(page: SearchPage) -> tuple[str, ...]:
    if page.additional <= 0:
        return ()
    least = "at least " if page.additional >= COUNT_MAX else ""
    count = f"{least}{page.additional}"
    return (f"There are {count} additional results that can be requested",)
