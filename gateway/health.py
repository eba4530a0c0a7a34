"""Probes: is the process alive, can it do its work, and what around it needs a person?"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.security.policy import is_loopback

log = logging.getLogger(__name__)

PROBE_S_MAX: Final = 15.0
"""How long one probe may take."""

CHECK_S_MAX: Final = 5.0
"""How long one thing that the work depends on may take to answer; longer, and it does not."""

KEPT_S: Final = 30.0
"""How old findings may be: so often at most is a neighbour asked because somebody watches."""

WAITED_S_MAX: Final = 1.0
"""How long an answer waits for findings that are due; those before them do, too."""

WHAT_WIDTH_MAX: Final = 40
"""Characters of the column that names what was looked at."""

Check = Callable[[], Awaitable[object]]


class State(StrEnum):
    """How it stands with something; the worst comes last."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not for long, or not for everybody."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one thing. It holds no patient data and no secret."""

    what: str
    state: State = State.OK
    told: str = ""
    """What is wrong, or what was seen."""
    mend: str = ""
    """What a person can do; empty where nothing is wrong."""


Probe = Callable[[], Awaitable[list[Finding]]]


def worst(findings: list[Finding]) -> State:
    """How it stands with all of them."""
    order = list(State)
    return max((one.state for one in findings), key=order.index, default=State.OK)


def table(findings: list[Finding]) -> list[str]:
    """A line for each finding: state, what, what is wrong; and below it how to mend that."""
    width = min(max((len(one.what) for one in findings), default=0), WHAT_WIDTH_MAX)
    lines = []
    for one in findings:
        lines.append(f"{one.state:<4}  {one.what:<{width}}  {one.told}".rstrip())
        if one.mend:
            lines.append(f"{'':4}  {'':{width}}  > {one.mend}")
    return lines


async def examine(probes: Mapping[str, Probe]) -> list[Finding]:
    """Run all probes side by side; what they find, in their order.

    Args:
        probes: by the name of what they look at, for one that does not end or fails itself.
    """
    found = await asyncio.gather(*(_examined(name, probe) for name, probe in probes.items()))
    return [finding for findings in found for finding in findings]


async def _examined(name: str, probe: Probe) -> list[Finding]:
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            return await probe()
    except TimeoutError:
        told = f"no answer within {PROBE_S_MAX:.0f} s"
        return [Finding(what=name, state=State.FAIL, told=told, mend="see whether it is at work")]
    except Exception:
        log.exception("probe_failed", extra={"probe": name})
        told = "it could not be checked; the log says where that failed"
        return [Finding(what=name, state=State.FAIL, told=told, mend="report this fault")]


class Watch:
    """The findings of a gateway at work, renewed when somebody asks and they are old.

    Args:
        probes: see `examine`.
        now_s: seconds that only go forward.
    """

    def __init__(self, probes: Mapping[str, Probe], *, now_s: Callable[[], float]) -> None:
        self._probes = probes
        self._now_s = now_s
        self._findings: list[Finding] | None = None
        self._found_at_s = 0.0
        self._asked = asyncio.Event()
        self._renewed = asyncio.Event()

    async def run(self) -> None:
        """Renew what is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._findings = await examine(self._probes)
            self._found_at_s = self._now_s()
            self._asked.clear()
            self._renewed.set()

    async def findings(self) -> tuple[list[Finding], float | None]:
        """What was found last, and how many seconds ago; None while nothing was."""
        if self._findings is None or self._now_s() - self._found_at_s > KEPT_S:
            if not self._asked.is_set():
                self._renewed.clear()
                self._asked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(WAITED_S_MAX):
                    await self._renewed.wait()
        if self._findings is None:
            return [], None
        return self._findings, self._now_s() - self._found_at_s


def health_routes(checks: Mapping[str, Check], watch: Watch) -> APIRouter:
    """`/health/live` and `/health/ready`.

    Args:
        checks: what the work depends on, by name; each raises a `GatewayError` if it fails.
        watch: tells what else a person should know.
    """
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> Response:
        """The process answers."""
        return _answer(200, {"live": True})

    @router.get("/ready")
    async def ready(request: Request) -> Response:
        """News can be made durable. Neighbours are told of, and decide nothing: what index or PACS
        miss waits for them. To callers on this machine alone it is told what is found of them."""
        failed = [name for name, check in checks.items() if not await _passes(check)]
        findings, age_s = await watch.findings()
        detail: dict[str, object] = {
            "state": worst(findings),
            "age_s": None if age_s is None else round(age_s, 1),
        }
        if request.client is not None and is_loopback(request.client.host):
            detail["findings"] = [asdict(one) for one in findings]
        body = {"ready": not failed, "failed": failed, "detail": detail}
        return _answer(503 if failed else 200, body)

    return router


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            await check()
    except (GatewayError, TimeoutError):
        return False
    return True


def _answer(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
