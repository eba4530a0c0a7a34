"""What a search by FHIR holds that no text can be is refused, whichever engine keeps the rows."""

import aiohttp
import orjson
import pytest

from tests.support.pointers import ANNE

WHOSE = f"urn:oid:{ANNE.oid}|{ANNE.value}"


@pytest.mark.parametrize("name", ["type", "study-instance-uid", "author.family"])
async def test_a_parameter_with_what_no_text_holds_is_refused(
    index_url: str, session: aiohttp.ClientSession, name: str
) -> None:
    """PostgreSQL keeps no NUL, and FHIR has none (R4 §2.24.0.1)."""
    form = {"patient.identifier": WHOSE, "status": "current", name: "a\0b"}

    async with session.post(f"{index_url}/fhir/DocumentReference/_search", data=form) as answer:
        assert answer.status == 400
        told = orjson.loads(await answer.read())

    assert told["issue"][0]["code"] == "value"
