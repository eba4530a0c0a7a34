"""What a patient does about their record: `POST /api/records/…`, identity in the body.

Patients cannot sign in yet, so these acts are for open access alone: who proves to be somebody else
may not do them.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from indexer.contract.access import Purpose
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins
from indexer.contract.record import RecordState
from indexer.server.access.policy import caller_of
from indexer.server.custody.record_keeper import RecordKeeper, Shown
from indexer.server.rights.record import Record
from indexer.server.rights.records import Alert, Permission
from indexer.server.web.http import patient_in, read_json
from indexer.wire.fhir.elements import Element, read_moment
from indexer.wire.outcome import IssueCode, Json, Refusal, forbidden_refusal

REQUEST_BYTES_MAX: Final = 4096

_NUMBER = re.compile(r"[0-9A-Za-z/]{1,64}", re.ASCII)
_EMERGENCIES: Final = (Purpose.BREAK_GLASS, Purpose.CENTRE_15)
_CHOICES: Final = ("opposed", "refuses_documents", "masked_in_emergency")

_Answer = Callable[[Element, Ins], Awaitable[Json]]


class RecordRoutes:
    """The acts, each at an address of its own."""

    def __init__(self, keeper: RecordKeeper) -> None:
        self._keeper = keeper

    def add_to(self, app: FastAPI) -> None:
        """Put the acts at their addresses."""
        router = APIRouter(prefix="/api/records", default_response_class=Response)
        acts: dict[str, tuple[_Answer, tuple[str, ...]]] = {
            "show": (self.show, ()),
            "alerts": (self.alerts, ()),
            "open": (self.open, ()),
            "close": (self.close, ()),
            "choose": (self.choose, (*_CHOICES, "excluded", "treating_doctor")),
            "grant": (self.grant, ("professional", "until")),
            "revoke": (partial(self._permit, _revoked), ("professional",)),
            "block": (partial(self._permit, _blocked), ("professional",)),
            "unblock": (partial(self._permit, _unblocked), ("professional",)),
        }
        for name, (answer, members) in acts.items():
            act = _route(answer, ("ins", "oid", *members))
            router.add_api_route(f"/{name}", act, methods=["POST"], name=name)
        app.include_router(router)

    async def show(self, told: Element, patient: Ins) -> Json:
        """What the holder chose, and whom the record lets in."""
        return _shown(await self._keeper.show(patient))

    async def alerts(self, told: Element, patient: Ins) -> Json:
        """Who opened it in an emergency, the latest first."""
        return {"alerts": [_alert(one) for one in await self._keeper.alerts(patient)]}

    async def open(self, told: Element, patient: Ins) -> Json:
        """Open it, for the first time or again."""
        return _shown(await self._keeper.open(patient))

    async def close(self, told: Element, patient: Ins) -> Json:
        """Close it: all is kept, and nothing is given or taken."""
        closed = partial(replace, state=RecordState.CLOSED)
        return _shown(await self._keeper.choose(patient, closed))

    async def choose(self, told: Element, patient: Ins) -> Json:
        """Change what is told, and leave the rest as it is."""
        return _shown(await self._keeper.choose(patient, _choice(told)))

    async def grant(self, told: Element, patient: Ins) -> Json:
        """Let one professional in, until a time or until it is taken back."""
        until = told.parsed("until", read_moment) if told.has("until") else None
        until_ms = int(until.timestamp() * 1000) if until is not None else None
        return await self._permit(partial(_granted, until_ms=until_ms), told, patient)

    async def _permit(
        self, change: Callable[[Permission, int], Permission], told: Element, patient: Ins
    ) -> Json:
        number = told.parsed("professional", _number)
        return _shown(await self._keeper.permit(patient, number, change))


def _route(answer: _Answer, members: tuple[str, ...]) -> Callable[[Request], Awaitable[Response]]:
    async def act(request: Request) -> Response:
        if caller_of(request) is not None:
            raise forbidden_refusal("it is for the patient to do")
        told = await read_json(request, bytes_max=REQUEST_BYTES_MAX)
        if not told.keys() <= set(members):  # a choice that is misspelt must not seem to be made
            known = ", ".join(members)
            raise Refusal(f"the act has no other members than {known}", code=IssueCode.STRUCTURE)
        answered = await answer(Element(told, "record"), patient_in(told))
        return Response(orjson.dumps(answered), media_type="application/json")

    return act


def _choice(told: Element) -> Callable[[Record], Record]:
    chosen: Json = {name: _flag(told, name) for name in _CHOICES if told.has(name)}
    if told.has("excluded"):
        purposes = told.texts("excluded")
        if not set(purposes) <= set(_EMERGENCIES):
            raise told.refuse("excluded", f"is not of {_EMERGENCIES}", IssueCode.VALUE)
        chosen["excluded"] = frozenset(map(Purpose, purposes))
    if told.has("treating_doctor"):
        named = told.fields["treating_doctor"] != ""
        chosen["treating_doctor"] = told.parsed("treating_doctor", _number) if named else ""
    return partial(replace, **chosen)


def _flag(told: Element, name: str) -> bool:
    value = told.fields[name]
    if not isinstance(value, bool):
        raise told.refuse(name, "is neither true nor false", IssueCode.VALUE)
    return value


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise InvalidValue("not a national number")
    return text


def _granted(known: Permission, now_ms: int, *, until_ms: int | None) -> Permission:
    return replace(known, granted_at_ms=now_ms, granted_until_ms=until_ms, blocked_at_ms=None)


def _revoked(known: Permission, now_ms: int) -> Permission:
    """Whatever let them in is taken back; they may declare themselves again."""
    return Permission(professional=known.professional, blocked_at_ms=known.blocked_at_ms)


def _blocked(known: Permission, now_ms: int) -> Permission:
    return Permission(professional=known.professional, blocked_at_ms=now_ms)


def _unblocked(known: Permission, now_ms: int) -> Permission:
    return replace(known, blocked_at_ms=None)


def _shown(shown: Shown) -> Json:
    record = shown.record
    return {
        "state": record.state,
        "opposed": record.opposed,
        "refuses_documents": record.refuses_documents,
        "excluded": sorted(record.excluded),
        "masked_in_emergency": record.masked_in_emergency,
        "treating_doctor": record.treating_doctor,
        "professionals": [_permission(one) for one in shown.permissions],
    }


def _permission(one: Permission) -> Json:
    return {
        "professional": one.professional,
        "declared_at": _moment(one.declared_at_ms),
        "granted_at": _moment(one.granted_at_ms),
        "granted_until": _moment(one.granted_until_ms),
        "blocked_at": _moment(one.blocked_at_ms),
    }


def _alert(one: Alert) -> Json:
    return {
        "professional": one.professional,
        "name": one.name,
        "structure": one.structure,
        "purpose": one.purpose,
        "reason": one.reason,
        "first_at": _moment(one.first_at_ms),
        "last_at": _moment(one.last_at_ms),
        "times": one.times,
    }


def _moment(ms: int | None) -> str | None:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat() if ms is not None else None
