"""What the conformance statement says of the web is what the gateway's application does."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydicom._dicom_dict import DicomDictionary
from starlette.routing import Route

from gateway.app.program import opened
from gateway.dicomweb.attributes import ATTRIBUTES, SearchLevel
from gateway.dicomweb.qido import LIMIT_DEFAULT, parse_query
from gateway.dicomweb.store_response import FailureReason
from gateway.errors import InvalidRequest
from gateway.http_errors import HTTP_STATUS
from gateway.retrieval.endpoints.answering import ROOT
from gateway.security.policy import OpenAccess
from gateway.settings import Settings
from tests.architecture.repository import files
from tests.architecture.statement import codes, table, words

WEB = "Web"
OF_THE_FRAMEWORK = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


@pytest.fixture
async def application(tmp_path: Path) -> FastAPI:
    """The gateway's own; nothing is asked of it."""
    settings = Settings(
        data_dir=tmp_path, http_port=0, dicom_port=0, mllp_port=0, sweep_from="", sweep_to=""
    )
    async with opened(settings, OpenAccess()) as gateway:
        return gateway.http


async def test_each_address_is_stated_with_its_methods(application: FastAPI) -> None:
    stated = table(WEB, "Address")
    addresses = [address for cell in stated.column("Address") for address in words(cell)]

    assert sorted(zip(addresses, stated.column("Method"), strict=True)) == sorted(
        (path, method) for path, method, _ in routes(application)
    )


async def test_each_address_is_stated_with_what_it_answers_on_success(
    application: FastAPI,
) -> None:
    succeeds = {(path, method): status for path, method, status in routes(application)}

    assert [
        address
        for cell, method, _, stated in table(WEB, "Address").rows
        for address in words(cell)
        if str(succeeds[address, method]) not in stated.split(", ")
    ] == []


def routes(application: FastAPI) -> Iterator[tuple[str, str, int]]:
    """Paths with their methods and the status of success; HEAD goes with GET, and OPTIONS with
    each address below the root of DICOMweb."""
    described = application.openapi()["paths"]
    for path, methods in described.items():
        for method, told in methods.items():
            status = min(int(one) for one in told["responses"] if one.isdigit())
            yield path, method.upper(), status
    for route in application.router.routes:
        if isinstance(route, Route):
            told_at_once = {"HEAD"} if route.path == ROOT else {"HEAD", "OPTIONS"}
            for method in sorted((route.methods or set()) - told_at_once):
                yield route.path, method, 200


def test_each_status_is_stated() -> None:
    stated = set(table(WEB, "Status").column("Status"))

    answered = {HTTPStatus.OK, *OF_THE_FRAMEWORK, *HTTP_STATUS.values(), *told_in_the_code()}
    assert stated == {str(int(status)) for status in answered}


def told_in_the_code() -> Iterator[int]:
    """Statuses that the gateway's own modules name."""
    for path in files(".py", under=("gateway",)):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id="HTTPStatus"), attr=name):
                    yield HTTPStatus[name]
                case ast.Call(
                    func=ast.Name(id="HTTPException" | "problem"),
                    args=[ast.Constant(value=int(status)), *_],
                ):
                    yield status
                case ast.keyword(arg="status_code", value=ast.Constant(value=int(status))):
                    yield status


def test_each_failure_reason_of_a_store_is_stated() -> None:
    stated = table("Store", "Failure Reason").column("Failure Reason")

    assert codes(stated) == {f"{reason:04X}" for reason in FailureReason}


def test_each_key_that_is_searched_by_is_stated() -> None:
    stated = table("Search", "Parameter").column("Parameter")
    keys = {entry[4] for entry in DicomDictionary.values()} | {one.path for one in ATTRIBUTES}
    controls = {"limit", "offset", "includefield"}
    controls |= {f"{manner}matching" for manner in ("fuzzy", "emptyvalue", "multiplevalue")}

    named = {word for cell in stated for word in words(cell)}
    assert named == {key for key in keys if is_searched_by(key)} | controls
    assert not any(parse_query(SearchLevel.STUDIES, [(key, "")]).warnings for key in keys & named)
    assert (
        f"{LIMIT_DEFAULT} unless told"
        in dict(zip(stated, table("Search", "Parameter").column("How it is matched"), strict=True))[
            "`limit`, `offset`"
        ]
    )


def is_searched_by(key: str) -> bool:
    """Whether a value is looked at: it is matched, or it is not one of the attribute's."""
    try:
        return not parse_query(SearchLevel.STUDIES, [(key, "1")]).warnings
    except InvalidRequest:
        return True


def test_each_attribute_of_an_answer_is_stated() -> None:
    stated = table("Search", "Level")

    in_code = {
        (level.value, *(told_of(level, default=default, empty=empty) for default, empty in KINDS))
        for level in SearchLevel
    }
    assert {
        (row[0], *(frozenset(words(cell)) for cell in row[1:])) for row in stated.rows
    } == in_code


KINDS = ((True, True), (True, False), (False, False))


def told_of(level: SearchLevel, *, default: bool, empty: bool) -> frozenset[str]:
    return frozenset(
        one.keyword
        for one in ATTRIBUTES
        if (one.level, one.default, one.empty, one.within) == (level, default, empty, "")
    )
