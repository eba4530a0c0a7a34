"""Asks an index over HTTP, whatever protocol is spoken: limits, and what a failure means.

Redirects are not followed: an address in an answer must not make the gateway ask, with its
credentials, wherever a third party likes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from indexer.contract.errors import IndexUnavailable

ANSWER_S_MAX = 30.0
ANSWER_BYTES_MAX = 16 * 2**20
DOCUMENT_BYTES_MAX = 64 * 2**20
ENTRIES_MAX = 10_000  # of one patient; each takes some kilobytes, and a request for its document
RETRY_AFTER_S_MAX = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def unavailable(self, reason: str) -> IndexUnavailable:
        """The error that settles nothing, with the time that the index asks to wait."""
        wait_s = _retry_after_s(self.headers.get("Retry-After"))
        return IndexUnavailable(reason, retry_after_s=wait_s)

    def expect(self, final: frozenset[int]) -> None:
        """Raise `IndexUnavailable` for a status that settles nothing."""
        if self.status not in final:
            raise self.unavailable(f"the index answered with status {self.status}")


class HttpAsker:
    """Asks, and bounds what is waited for and read.

    Args:
        session: carries the requests; whoever made it closes it.
        answer_s_max: seconds that an answer may take, whole.
    """

    def __init__(
        self, session: aiohttp.ClientSession, *, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=answer_s_max)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        bytes_max: int = ANSWER_BYTES_MAX,
        body: bytes | None = None,
    ) -> HttpAnswer:
        """One request and its answer, of any status.

        Raises:
            IndexUnavailable: there is none, or it is larger than is read.
        """
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                content = await _read(response, bytes_max)
                return HttpAnswer(response.status, response.headers, content)
        except TimeoutError as error:  # aiohttp's is both, and comes first
            raise IndexUnavailable("the index did not answer in time") from error
        except aiohttp.ClientError as error:
            raise IndexUnavailable(
                f"the index cannot be reached: {why_not_reached(error)}",
                never_sent=isinstance(error, aiohttp.ClientConnectorError),
            ) from error


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            # Of a refusal the status is enough.
            if response.status != 200:
                break
            raise IndexUnavailable(f"the index's answer is larger than {bytes_max} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after_s(told: str | None) -> float | None:
    """Seconds to wait, told as a number or as a date (RFC 9110 §10.2.3); None if it is neither."""
    if told is None:
        return None
    if told.isascii() and told.isdigit():
        return min(float(told), RETRY_AFTER_S_MAX)
    try:
        then = parsedate_to_datetime(told)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    wait_s = (then - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def why_not_reached(error: Exception) -> str:
    """Why there is no answer, in words that hold no address: it may bear a secret."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name leads to no address"
        case aiohttp.ClientSSLError():
            return "it does not come to terms by TLS"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "nothing listens there"
        case aiohttp.ClientConnectorError():
            return "no way leads there"
        case aiohttp.ClientResponseError():
            return "what answers does not speak HTTP"
        case _:
            return "the connection broke off"
