"""What a rendered picture costs a server, beside Orthanc: JPEG and PNG of 512 x 512 pixels.

Both hold the same study and are asked for the same instances, in turns, with the same window
and quality. Told is their CPU: client and servers share the machine, and a rate would be
one of the pair. That the pictures are alike, and as large, is checked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.kit.ct import build_ct
from benchmarks.kit.fetching import fetch
from benchmarks.kit.peers import DICOMWEB, Server, orthanc, our_gateway
from benchmarks.kit.results import Spread

HOW: Final = "quality=90&window=40,400,linear"
"""Said, for Orthanc would show the whole range of the values."""
KINDS: Final = ("image/jpeg", "image/png")
_NOISE: Final = 12.0  # standard deviation, in stored values: that of a scanner, not of a drawing
_ALIKE_MAX: Final = 2.0  # by which shades may differ on average
_LARGER_MAX: Final = 1.25  # of one's bodies, times the other's


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    instances: int = 100
    requests: int = 400
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One type of picture, with what each of them took in each round."""

    kind: str
    ours_ms: list[float] = field(default_factory=list)
    """CPU of the server for one picture."""
    orthanc_ms: list[float] = field(default_factory=list)
    ours_bytes: float = 0.0
    """Of a picture, on average."""
    orthanc_bytes: float = 0.0

    @property
    def ratio(self) -> Spread:
        """How many times as many pictures a CPU second of ours gives, pair by pair."""
        pairs = zip(self.ours_ms, self.orthanc_ms, strict=True)
        return Spread.of([its / own for own, its in pairs])

    def line(self) -> str:
        """For a person to read."""
        ours, orthanc = Spread.of(self.ours_ms), Spread.of(self.orthanc_ms)
        return (
            f"{self.kind}: {ours} ms of CPU and {self.ours_bytes / 1024:.0f} KiB,"
            f" Orthanc {orthanc} ms and {self.orthanc_bytes / 1024:.0f} KiB,"
            f" {self.ratio} times as many a CPU second"
        )

    def figures(self) -> dict[str, object]:
        """To be kept."""
        return {
            "kind": self.kind,
            "ours_cpu_ms": Spread.of(self.ours_ms),
            "orthanc_cpu_ms": Spread.of(self.orthanc_ms),
            "ours_bytes": round(self.ours_bytes),
            "orthanc_bytes": round(self.orthanc_bytes),
            "ratio": self.ratio,
        }


def measure(plan: Plan) -> Iterator[Pairing]:
    """Each type of picture, beside Orthanc.

    Raises:
        AssertionError: the two do not give the same pictures.
    """
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files, paths = _noisy_study(folder / "files", plan.instances)
        for name in ("gateway", "orthanc"):
            (folder / name).mkdir()
        with our_gateway(folder / "gateway") as ours, orthanc(folder / "orthanc") as its:
            for server in (ours, its):
                server.store(files)
            for kind in KINDS:
                yield _measured(plan, kind, ours, its, paths)


def _measured(plan: Plan, kind: str, ours: Server, its: Server, paths: Sequence[str]) -> Pairing:
    _ensure_alike(kind, ours, its, paths)
    pairing = Pairing(kind=kind)
    sizes: dict[str, float] = {}
    for _ in range(plan.rounds):
        for server, taken in ((ours, pairing.ours_ms), (its, pairing.orthanc_ms)):
            came = fetch(server, paths, accept=kind, each=plan.requests)
            taken.append(came.cpu_seconds * 1000 / plan.requests)
            sizes[server.name] = mean(came.sizes_bytes)
    ours_bytes, its_bytes = sizes[ours.name], sizes[its.name]
    assert ours_bytes <= its_bytes * _LARGER_MAX, f"{ours_bytes} bytes for {its_bytes}"
    return Pairing(
        kind=kind,
        ours_ms=pairing.ours_ms,
        orthanc_ms=pairing.orthanc_ms,
        ours_bytes=ours_bytes,
        orthanc_bytes=its_bytes,
    )


def _ensure_alike(kind: str, ours: Server, its: Server, paths: Sequence[str]) -> None:
    shown = [_read(server.get(paths[0], kind)[1]) for server in (ours, its)]
    apart = np.abs(shown[0] - shown[1]).mean()
    assert apart <= _ALIKE_MAX, f"the pictures differ by {apart} shades"


def _read(picture: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    with Image.open(BytesIO(picture)) as image:
        return np.asarray(image.convert("L"), np.float64)


def _noisy_study(folder: Path, instances: int) -> tuple[list[Path], list[str]]:
    """A study with the noise that decides how large a picture gets: its files, and the address of
    each picture."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(7)
    files, paths = [], []
    for at, ds in enumerate(build_ct(0, instances)):
        noise = np.rint(random.normal(0, _NOISE, (ds.Rows, ds.Columns)))
        pixels = np.frombuffer(ds.PixelData, np.uint16).reshape(ds.Rows, ds.Columns) + noise
        ds.PixelData = pixels.clip(0, 4095).astype(np.uint16).tobytes()
        files.append(folder / f"{at:05}.dcm")
        ds.save_as(files[-1], enforce_file_format=True)
        place = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
        instance = f"{DICOMWEB}{place}/instances/{ds.SOPInstanceUID}"
        paths.append(f"{instance}/rendered?{HOW}")
    return files, paths
