"""A world whose index is set otherwise than that of the rest."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.program import Program
from tests.support.programs import serving
from tests.support.world import World


@contextmanager
def a_world_at(
    folder: Path,
    settings: Mapping[str, str],
    of_index: Mapping[str, str],
    *,
    open_access: bool = True,
) -> Iterator[World]:
    """A world at work, without a PACS; all of it is ended on leaving.

    Args:
        settings: of the gateway, beside the usual ones.
        of_index: settings of the index, beside its port and its folder.
    """
    world = World(folder, {"GATEWAY_PACS": "[]", **settings}, with_doors=False, pacs={})
    place = {"INDEX_HTTP_PORT": str(world.index_port), "INDEX_DATA_DIR": str(world.index_dir)}
    world.index = Program(
        serving("indexer.server", open_access=open_access),
        {**place, **of_index},
        port=world.index_port,
        log=folder / "index.log",
    )
    try:
        world.index.start()
        world.gateway.start()
        yield world
    finally:
        world.gateway.close()
        world.index.close()
