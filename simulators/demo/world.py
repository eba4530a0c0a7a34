"""The demo's world: an index, a gateway and a centre that know each other's ports."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout

from simulators.demo.programs import (
    HOST,
    START_WITHIN_S,
    Launch,
    Ports,
    Program,
    ProgramFailed,
    running,
    wait_until_ready,
)
from simulators.imaging_centre.dimse import DicomAddress
from simulators.synthetic.identity import ACCESSION_ISSUER, CENTRE, PATIENT_ID_ISSUER
from simulators.synthetic.uids import uid_of

GATEWAY_AE_TITLE = "DRIMBOX"
CENTRE_AE_TITLE = "PACS"
SETTLE_S = 1.0
CENTRE_QUIET_S = 0.2
_REQUEST_TIMEOUT_S = 60.0


class World:
    """Where everything is, and what the centre's PACS says while it works."""

    def __init__(self, session: ClientSession, ports: Ports) -> None:
        self.session, self.ports = session, ports
        self.centre_listens = asyncio.Event()
        self._notified_ms: dict[str, asyncio.Future[int]] = {}

    @property
    def gateway_url(self) -> str:
        """Root of the gateway's HTTP."""
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def index_url(self) -> str:
        """Root of the index."""
        return f"http://{HOST}:{self.ports.index}"

    @property
    def gateway(self) -> DicomAddress:
        """Where the gateway takes associations."""
        return DicomAddress(GATEWAY_AE_TITLE, HOST, self.ports.dicom)

    @property
    def centre(self) -> DicomAddress:
        """Where the PACS takes associations."""
        return DicomAddress(CENTRE_AE_TITLE, HOST, self.ports.centre)

    @property
    def urls(self) -> dict[str, str]:
        """Where a person or a script finds each program."""
        return {
            "gateway": self.gateway_url,
            "index": self.index_url,
            "dicom": f"{HOST}:{self.ports.dicom}:{GATEWAY_AE_TITLE}",
            "mllp": f"{HOST}:{self.ports.mllp}",
            "centre": f"{HOST}:{self.ports.centre}:{CENTRE_AE_TITLE}",
        }

    def notification(self, study_uid: str) -> asyncio.Future[int]:
        """The epoch milliseconds at which the gateway acknowledges the study's notification."""
        if study_uid not in self._notified_ms:
            self._notified_ms[study_uid] = asyncio.get_running_loop().create_future()
        return self._notified_ms[study_uid]


@asynccontextmanager
async def open_world(data_dir: Path, ports: Ports) -> AsyncIterator[World]:
    """Have the three programs run, ready, in a folder; logs are in its `logs`.

    Raises:
        ExceptionGroup: of `ProgramFailed`, if one does not start or ends too early.
    """
    logs = data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    timeout = ClientTimeout(total=_REQUEST_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(timeout=timeout))
        index, gateway, centre = [
            await stack.enter_async_context(running(launch, logs))
            for launch in _launches(data_dir, ports)
        ]
        world = World(session, ports)
        async with asyncio.TaskGroup() as watchers:
            watching = [
                watchers.create_task(index.fail_when_it_ends()),
                watchers.create_task(gateway.fail_when_it_ends()),
                watchers.create_task(_listen(centre, world)),
            ]
            await wait_until_ready(session, index, world.index_url)
            await wait_until_ready(session, gateway, world.gateway_url)
            try:
                await asyncio.wait_for(world.centre_listens.wait(), START_WITHIN_S)
            except TimeoutError:
                raise ProgramFailed(f"the centre does not listen:\n{centre.tail()}") from None
            yield world
            for task in watching:
                task.cancel()


async def _listen(centre: Program, world: World) -> None:
    async for line in centre.lines():
        match line.split():
            case ["listening", _]:
                world.centre_listens.set()
            case ["notified", study_uid, at_ms]:
                notification = world.notification(study_uid)
                if not notification.done():
                    notification.set_result(int(at_ms))
    await centre.fail_when_it_ends()


def _launches(data_dir: Path, ports: Ports) -> tuple[Launch, Launch, Launch]:
    index = Launch(
        name="index",
        arguments=["indexer.server", "serve", "--open-access"],
        settings={"INDEX_HTTP_PORT": str(ports.index), "INDEX_DATA_DIR": str(data_dir / "index")},
    )
    pacs = {
        "ae_title": CENTRE_AE_TITLE,
        "host": HOST,
        "port": ports.centre,
        "retrieve": "move",
        "patient_id_issuer": PATIENT_ID_ISSUER,
        "accession_issuer": ACCESSION_ISSUER,
    }
    gateway = Launch(
        name="gateway",
        arguments=["gateway", "serve", "--open-access"],
        settings={
            "GATEWAY_DATA_DIR": str(data_dir / "gateway"),
            "GATEWAY_HTTP_PORT": str(ports.gateway),
            "GATEWAY_DICOM_PORT": str(ports.dicom),
            "GATEWAY_MLLP_PORT": str(ports.mllp),
            "GATEWAY_AE_TITLE": GATEWAY_AE_TITLE,
            "GATEWAY_INDEX_URL": f"http://{HOST}:{ports.index}",
            "GATEWAY_PUBLIC_URL": f"http://{HOST}:{ports.gateway}",
            "GATEWAY_ORGANISATION_ID": f"1{CENTRE.number}",
            "GATEWAY_ORGANISATION_NAME": CENTRE.name,
            "GATEWAY_LOCATION_UID": uid_of("location", CENTRE.number),
            "GATEWAY_STUDY_SETTLE_S": str(SETTLE_S),
            "GATEWAY_PACS": json.dumps([pacs]),
        },
    )
    gateway_address = f"{GATEWAY_AE_TITLE}={HOST}:{ports.dicom}"
    centre = Launch(
        name="centre",
        arguments=[
            *("simulators", "centre", "--ae-title", CENTRE_AE_TITLE),
            *("--port", str(ports.centre), "--folder", str(data_dir / "centre")),
            *("--destination", gateway_address, "--notify", gateway_address),
            *("--quiet-s", str(CENTRE_QUIET_S)),
        ],
        is_heard=True,
    )
    return index, gateway, centre
