"""The bytes of a study pass the gateway without staying in it, however large it is."""

import subprocess
from pathlib import Path

from benchmarks.kit.ct import save_ct
from benchmarks.kit.peers import AS_STORED, DICOMWEB, our_gateway
from benchmarks.kit.processes import most_resident_bytes, reset_most_resident
from tests.support.peers import peer
from tests.support.program import HOST

INSTANCES = 2
FRAMES = 512
INSTANCE_BYTES = FRAMES * 2**19
MORE_BYTES_MAX = 64 * 2**20
CLIENTS = 3


def test_a_large_study_at_several_clients_takes_little_memory(tmp_path: Path) -> None:
    study = save_ct(tmp_path / "ct", instances=INSTANCES, frames=FRAMES)
    curl = [str(peer("curl")), "--no-progress-meter", "--fail", "--header", f"Accept: {AS_STORED}"]
    (tmp_path / "ours").mkdir()
    with our_gateway(tmp_path / "ours") as ours:
        ours.store(study.files)
        path = f"{DICOMWEB}/studies/{study.uid}"
        fetch = [*curl, "--output", "/dev/null", "--write-out", "%{size_download}"]
        url = f"http://{HOST}:{ours.port}{path}"
        subprocess.run([*fetch, "--range", "0-100", url], check=True, capture_output=True)
        reset_most_resident(ours.pid)
        idle = ours.resident_bytes()

        fetching = [subprocess.Popen([*fetch, url], stdout=subprocess.PIPE) for _ in range(CLIENTS)]
        sizes = {one.communicate(timeout=120)[0] for one in fetching}
        most = most_resident_bytes(ours.pid)

    [size] = sizes
    assert int(size) > INSTANCES * INSTANCE_BYTES
    assert most - idle < MORE_BYTES_MAX
