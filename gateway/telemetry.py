"""What a program tells about itself: log lines, metrics, and who was answered what.

Nothing here carries patient data: log lines are named events with opaque ids, and requests are
known by the template of their route, never by their address.
"""

import json
import logging
import sys
import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_AS_JSON: Final = json.JSONEncoder(default=str, ensure_ascii=False).encode
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; of an exception, its type and the places it passed, not its text."""
        told: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.name == "py.warnings":  # a library's words may quote a value: its place is told
            told["event"], told["place"] = "warned", record.getMessage().partition(": ")[0]
        told |= {name: one for name, one in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["trace"] = _places(record)
        return _AS_JSON(told)


def _places(record: logging.LogRecord) -> list[str]:
    """File and line of each frame. The text of an exception may quote a peer: it is left out."""
    places = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places


def configure_logging(level: str = "INFO") -> None:
    """Send every log line of the program to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    # Looked up for each line, and told by none of ours.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Both quote what peers sent: uvicorn logs addresses, pynetdicom whole associations.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Metrics:
    """A program's counters, in a registry of its own so that two programs can share a process."""

    def __init__(self, prefix: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{prefix}_http_requests",
            "HTTP requests answered.",
            ["route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            f"{prefix}_http_request_seconds",
            "Time from request to its last byte.",
            ["route"],
            registry=self.registry,
        )

    async def exposition(self, _request: Request) -> Response:
        """Answer `/metrics` in the text format of Prometheus."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class NamedRoute(Route):
    """A plain route that tells its template, as FastAPI's own do: the request log names it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is for this route."""
        match, child_scope = super().matches(scope)
        return match, {**child_scope, "route": self}


class RequestLog:
    """Logs and counts each answered request by the template of its route.

    Plain ASGI: a wrapper that buffers, as `BaseHTTPMiddleware` does, would hold back streams.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell afterwards what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            route = _template(scope)
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
            fields = {"route": route, "status": status, "ms": round(seconds * 1000, 1)}
            log.info("request_answered", extra={"method": _method(scope), **fields})


def _template(scope: Scope) -> str:
    """The route's own path; an address that matched none may hold anything and is not named."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _method(scope: Scope) -> str:
    """A method of HTTP's own; any other word was chosen by the caller."""
    return scope["method"] if scope["method"] in _METHODS else "other"
