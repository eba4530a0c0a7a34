"""Files that others published, spoiled: each is transcoded or refused with its reason, in bounded
memory and time, and the processes go on with the next."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import NotAcceptable, WorkerDied
from gateway.pixels import syntaxes
from gateway.processes.pool import WorkerPool
from gateway.retrieval.forms.recompress import transcode
from tests.interop.corpus import published_files
from tests.support import work

SPOILED = 300
SIZE_BYTES_MAX = 2**20
"""Of a file that is spoiled; what it becomes may be larger."""
GIVEN_BYTES_MAX = 64 * 2**20
WITHIN_S = 20.0
MEMORY_MIB = 768


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=1, waiting_max=4, memory_mib_max=MEMORY_MIB)
    yield pool
    await pool.close()


async def test_no_spoiled_file_ends_more_than_its_own_work(
    pool: WorkerPool, tmp_path: Path
) -> None:
    draw = random.Random(20)
    files = [path for path in published_files().values() if path.stat().st_size < SIZE_BYTES_MAX]
    source, target, scratch = tmp_path / "source", tmp_path / "target", tmp_path / "scratch"
    became: Counter[str] = Counter()
    for _ in range(SPOILED):
        source.write_bytes(spoiled(draw.choice(files).read_bytes(), draw))
        told = (source, target, scratch, str(draw.choice(syntaxes.ENCODED)), GIVEN_BYTES_MAX)

        try:
            await pool.run(transcode, *told, within_s=WITHIN_S)
        except NotAcceptable:
            became["refused"] += 1
        except WorkerDied:
            became["died"] += 1
        else:
            became["given"] += 1
            assert target.stat().st_size <= 2 * GIVEN_BYTES_MAX

        for left in (target, scratch):
            left.unlink(missing_ok=True)

    assert await pool.run(work.add, 1, 2, within_s=WITHIN_S) == 3
    assert became["refused"] > SPOILED / 10
    assert became["given"] > SPOILED / 10
    assert became["died"] < SPOILED / 20


def spoiled(content: bytes, draw: random.Random) -> bytes:
    """The file with some of its bytes changed, cut out, doubled, or cut off."""
    spoilt = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20))):
        at = draw.randrange(132, max(len(spoilt), 133))
        match draw.randrange(5):
            case 0:
                spoilt[at : at + 1] = draw.randbytes(1)
            case 1:
                spoilt[at : at + 4] = draw.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f"))
            case 2:
                del spoilt[at : at + draw.randrange(64)]
            case 3:
                spoilt[at:at] = spoilt[at : at + draw.randrange(64)]
            case 4:
                del spoilt[max(at, len(spoilt) // 2) :]
    return bytes(spoilt)
