"""Metadata and frames, which the gateway serves from what it read once, beside Orthanc and nginx.

Orthanc tells the whole data set (`Full`), as we do, and nginx gives our own answer as a file.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from benchmarks.kit.ct import StudyFiles, save_ct
from benchmarks.kit.fetching import fetch
from benchmarks.kit.pairing import OURS, Pairing, Request
from benchmarks.kit.peers import AS_STORED, DICOMWEB, Server, nginx, orthanc, our_gateway
from simulators.synthetic.uids import uid_of

JSON: Final = "application/dicom+json"
OCTETS: Final = 'multipart/related; type="application/octet-stream"'
ANY_FRAME: Final = f"{OCTETS}; transfer-syntax=*"
DOWNLOADS: Final = 10
CLIENTS: Final = 2
"""Of those who ask for frames."""
FIRST: Final = "its frame 1"
"""Of ours, beside a late one: no slower is what is to be shown."""
_SIDE: Final = 128
_FEWER: Final = 50
"""How many times fewer requests Orthanc is given, for a round to take about as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    instances: int = 200
    frames: int = 2000
    requests: int = 200
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Servers:
    ours: Server
    orthanc: Server
    nginx: Server


@contextmanager
def _servers() -> Iterator[tuple[_Servers, Path]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        places = [folder / name for name in ("ours", "orthanc", "nginx")]
        for place in places:
            place.mkdir()
        yield (
            _Servers(
                ours=stack.enter_context(our_gateway(places[0])),
                orthanc=stack.enter_context(orthanc(places[1])),
                nginx=stack.enter_context(nginx(places[2])),
            ),
            folder,
        )


def measure_metadata(plan: Plan) -> list[Pairing]:
    """Metadata of a study, at one and four clients; and ours again while others download it."""
    with _servers() as (servers, folder):
        study = save_ct(folder / "ct", instances=plan.instances)
        for server in (servers.ours, servers.orthanc):
            server.store(study.files)
        path = f"{DICOMWEB}/studies/{study.uid}/metadata"
        _, body = servers.ours.get(path, JSON)
        assert servers.nginx.served is not None
        (servers.nginx.served / "metadata").write_bytes(body)
        sides = {
            OURS: Request(server=servers.ours, path=path, accept=JSON, each=plan.requests),
            "orthanc": Request(
                server=servers.orthanc, path=path, accept=JSON, each=max(1, plan.requests // _FEWER)
            ),
            "nginx": Request(
                server=servers.nginx, path="/metadata", accept="*/*", each=plan.requests
            ),
        }
        measured = [Pairing(name="metadata of a study", clients=many) for many in (1, 4)]
        for one in measured:
            one.run(sides, plan.rounds)
        return [*measured, _beside_downloads(servers.ours, study, sides[OURS], plan.rounds)]


def _beside_downloads(ours: Server, study: StudyFiles, asked: Request, rounds: int) -> Pairing:
    """The same by one client, alone and while the whole study is downloaded by ten, in turn."""
    beside = Pairing(name="metadata while the study is downloaded by ten", clients=1)
    path = f"{DICOMWEB}/studies/{study.uid}"
    for _ in range(rounds):
        beside.came.setdefault("alone", []).append(asked.made(1))
        over = threading.Event()

        def download() -> None:
            while not over.is_set():  # noqa: B023
                fetch(ours, [path], accept=AS_STORED, clients=DOWNLOADS, each=4)

        downloading = threading.Thread(target=download)
        downloading.start()
        try:
            beside.came.setdefault("beside ten", []).append(asked.made(1))
        finally:
            over.set()
            downloading.join()
    return beside


def measure_frames(plan: Plan) -> list[Pairing]:
    """A frame of 512 KiB; and of long objects a late frame, beside the first in the same rounds."""
    with _servers() as (servers, folder):
        study = save_ct(folder / "ct", instances=1)
        native = _save_cine(folder / "native.dcm", study, plan.frames, number=1)
        encapsulated = _save_cine(folder / "jpeg.dcm", study, plan.frames, number=2, jpeg=True)
        for server in (servers.ours, servers.orthanc):
            server.store([*study.files, native, encapsulated])
        late = plan.frames * 19 // 20
        one = Pairing(name="a frame of 512 KiB", clients=CLIENTS)
        its = _Frames(file=study.files[0], accept=OCTETS, each=plan.requests)
        one.run({OURS: its.of(servers.ours, 1), "orthanc": its.of(servers.orthanc, 1)}, plan.rounds)
        measured = [one]
        for kind, file, accept in (
            ("native", native, OCTETS),
            ("encapsulated", encapsulated, ANY_FRAME),
        ):
            frames = _Frames(file=file, accept=accept, each=plan.requests)
            sides = {OURS: frames.of(servers.ours, late), FIRST: frames.of(servers.ours, 1)}
            if kind == "native":  # Orthanc 1.10 gives no fragment as octets
                few = replace(frames, each=max(1, plan.requests // _FEWER))
                sides["orthanc"] = few.of(servers.orthanc, late)
            name = f"frame {late} of {plan.frames}, {kind}"
            measured.append(Pairing(name=name, clients=CLIENTS))
            measured[-1].run(sides, plan.rounds)
        return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """How the frames of an instance are asked for."""

    file: Path
    accept: str
    each: int

    def of(self, server: Server, number: int) -> Request:
        """The requests for one of them."""
        path = f"{_address(self.file)}/frames/{number}"
        return Request(server=server, path=path, accept=self.accept, each=self.each)


def _address(file: Path) -> str:
    ds = dcmread(file, stop_before_pixels=True)
    series = f"{DICOMWEB}/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    return f"{series}/instances/{ds.SOPInstanceUID}"


def _save_cine(
    file: Path, study: StudyFiles, frames: int, *, number: int, jpeg: bool = False
) -> Path:
    """A long object; one that is encapsulated has no offset table, as most have none."""
    ds: Dataset = dcmread(study.files[0])
    ds.SeriesInstanceUID = uid_of(ds.StudyInstanceUID, 9, number)
    ds.SOPInstanceUID = uid_of(ds.StudyInstanceUID, 9, number, 1)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.Rows = ds.Columns = _SIDE
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.NumberOfFrames = frames
    pixels = [bytes([at % 251]) * (_SIDE * _SIDE) for at in range(frames)]
    if jpeg:
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        ds.PixelData = encapsulate([b"\xff\xd8\xff" + one for one in pixels], has_bot=False)
    else:
        ds.PixelData = b"".join(pixels)
    ds["PixelData"].VR = "OB"
    ds.save_as(file, enforce_file_format=True)
    return file
