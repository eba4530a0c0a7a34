"""The HTTP side of the gateway: one application, every route behind the gate."""

from collections.abc import Awaitable, Callable, Collection
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from prometheus_client import Gauge
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import http_errors
from gateway.catalogue.standings import Standings
from gateway.federation.resolver import Resolver
from gateway.federation.routes import pointer_routes
from gateway.intake import stow_routes, webhook
from gateway.publication.outbox import Outbox
from gateway.publication.routes import operator_routes
from gateway.retrieval.endpoints.answering import ROOT
from gateway.retrieval.routes import STUDIES, WADO_URI
from gateway.security.forwarded import Addressed, Forwarding
from gateway.security.gate import Gate
from gateway.security.origins import Origins
from gateway.security.policy import Policy
from gateway.shortcut import Shortcut
from gateway.storage.database import Database
from gateway.telemetry import Metrics, NamedRoute, RequestLog


def build_web(
    policy: Policy,
    resolver: Resolver,
    dicomweb: list[Route],
    *,
    health: APIRouter,
    announce: webhook.Announce,
    acting: APIRouter,
    database: Database,
    standings: Standings,
    outbox: Outbox,
    metrics: Metrics,
    forwarding: Forwarding,
    origins: Collection[str] = (),
) -> FastAPI:
    """The application: probes, operators' and viewers' JSON, the webhook, and DICOMweb.

    Its documentation pages are off, for they load scripts from another site; `/openapi.json` is on.
    Tracing is off, for it would record addresses with their parameters.
    """
    app = FastAPI(
        title="DRIM-M gateway",
        version=version("drim-gateway"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an address of whatever Host the request names
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    http_errors.install(app)
    app.include_router(health)
    app.include_router(pointer_routes(resolver))
    app.include_router(operator_routes(database, standings, outbox))
    app.include_router(acting)
    app.include_router(webhook.webhook_routes(policy, announce))
    app.router.routes.extend(dicomweb)
    app.router.routes.append(
        NamedRoute("/metrics", _exposition(metrics, database, standings, outbox))
    )
    wide = {STUDIES: stow_routes.BODY, webhook.PATH: webhook.BODY}
    app.add_middleware(Shortcut, routes=dicomweb)
    app.add_middleware(Gate, policy=policy, refusal=http_errors.answer, wide=wide)
    if origins:
        app.add_middleware(Origins, origins=origins, roots=(ROOT, WADO_URI))
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(Addressed, forwarding=forwarding)
    return app


def _exposition(
    metrics: Metrics, database: Database, standings: Standings, outbox: Outbox
) -> Callable[[Request], Awaitable[Response]]:
    """`/metrics`, with how many studies and submissions stand where."""
    by_study = Gauge(
        "gateway_studies", "Studies by where they stand.", ["state"], registry=metrics.registry
    )
    by_submission = Gauge(
        "gateway_submissions",
        "Submissions by what became of them.",
        ["state"],
        registry=metrics.registry,
    )

    async def exposition(request: Request) -> Response:
        for gauge, repository in ((by_study, standings), (by_submission, outbox)):
            gauge.clear()
            for state, count in (await database.read(repository.count_by_state)).items():
                gauge.labels(state).set(count)
        return await metrics.exposition(request)

    return exposition
