"""What a benchmark compares holds the same instances, and its client fetches them whole."""

from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from benchmarks.kit.ct import save_ct
from benchmarks.kit.fetching import fetch
from benchmarks.kit.peers import AS_STORED, DICOMWEB, nginx, orthanc, our_gateway
from tests.interop.wire import Answer


def test_servers_of_a_benchmark_give_the_same_instances(tmp_path: Path) -> None:
    study = save_ct(tmp_path / "ct", instances=3)
    path = f"{DICOMWEB}/studies/{study.uid}"
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("ours", "orthanc", "nginx")]
        for folder in folders:
            folder.mkdir()
        ours = stack.enter_context(our_gateway(folders[0]))
        other = stack.enter_context(orthanc(folders[1]))
        files = stack.enter_context(nginx(folders[2]))
        ours.store(study.files)
        other.store(study.files)

        given = [Answer(200, *server.get(path)) for server in (ours, other)]
        assert files.served is not None
        (files.served / "study").write_bytes(given[0].body)
        fetched = [
            fetch(ours, [path], accept=AS_STORED, clients=2, each=2),
            fetch(other, [path], accept=AS_STORED),
            fetch(files, ["/study"], accept="*/*"),
        ]

    pixels = [path.read_bytes()[-(2**19) :] for path in study.files]
    sent = {sha256(one).digest() for one in pixels}
    for answer in given:
        assert {sha256(content[-(2**19) :]).digest() for _, content in answer.parts} == sent
    assert [len(one.sizes_bytes) for one in fetched] == [4, 1, 1]
    assert {*fetched[0].sizes_bytes, *fetched[2].sizes_bytes} == {len(given[0].body)}
    assert fetched[1].sizes_bytes == [len(given[1].body)]
    assert all(0 < one.first_byte_s[0] <= one.seconds for one in fetched)
