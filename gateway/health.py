"""Probes: is the process alive, and can it do its work?"""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from gateway.errors import GatewayError

Check = Callable[[], Awaitable[object]]


def health_routes(checks: Mapping[str, Check]) -> APIRouter:
    """`/health/live` and `/health/ready`.

    Args:
        checks: what the work depends on, by name; each raises a `GatewayError` if it fails.
    """
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> Response:
        """The process answers."""
        return _answer(200, {"live": True})

    @router.get("/ready")
    async def ready() -> Response:
        """News can be made durable. The index is not asked: what it misses waits for it."""
        failed = [name for name, check in checks.items() if not await _passes(check)]
        return _answer(503 if failed else 200, {"ready": not failed, "failed": failed})

    return router


async def _passes(check: Check) -> bool:
    try:
        await check()
    except GatewayError:
        return False
    return True


def _answer(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
