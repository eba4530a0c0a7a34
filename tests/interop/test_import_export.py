"""Media that others wrote come in, and what goes out is what others can read."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from tests.interop import dcmtk
from tests.interop.instances import Instance
from tests.interop.studies import a_study, published, secrets_in
from tests.interop.wire import AS_STORED, asked, told
from tests.support.commands import gateway_command
from tests.support.peers import shared_data
from tests.support.programs import Index, a_gateway

RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"


def settings_of(folder: Path) -> dict[str, str]:
    return {"GATEWAY_DATA_DIR": str(folder / "gateway")}


def test_every_file_that_others_wrote_is_taken_or_told(tmp_path: Path) -> None:
    """All that can be sent by a client comes in; the rest is named with its reason."""
    medium, report = shared_data() / "dicom", tmp_path / "report.jsonl"

    first = gateway_command("import", medium, "--report", report, settings=settings_of(tmp_path))
    again = gateway_command("import", medium, settings=settings_of(tmp_path))

    counts = counts_in(first.stdout)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert counts["taken"] >= 190
    assert counts_in(again.stdout) == {**counts, "known": counts["taken"], "taken": 0}
    assert {one["fate"] for one in lines} == {"skipped", "failed"}
    assert len(lines) == counts["skipped"] + counts["failed"]
    for line in lines:
        assert line["reason"]
        if line["fate"] == "skipped":
            assert not has_prefix(medium / line["file"])
    assert first.returncode == (1 if counts["failed"] else 0)
    assert secrets_in(first.stderr) == []


def counts_in(text: str) -> dict[str, int]:
    """How many files met which fate."""
    lines = [line.split() for line in text.splitlines() if not line.startswith(" ")]
    return {"taken": 0, "skipped": 0, "failed": 0} | {fate: int(count) for fate, count, _ in lines}


def has_prefix(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def test_a_medium_that_dcmtk_made_comes_in_and_what_it_lost_is_told(tmp_path: Path) -> None:
    study, medium = a_study(tmp_path, "CT"), tmp_path / "medium"
    medium.mkdir()
    for number, path in enumerate(study.files):
        shutil.copy(path, medium / f"IM{number:06}")
    made = dcmtk.run("dcmmkdir", "--general-purpose", "--recurse", "--no-xfer-check", "+id", medium,
                     "+D", medium / "DICOMDIR", "+I")  # fmt: skip
    assert made.returncode == 0, made.stdout
    (medium / "IM000000").unlink()

    run = gateway_command("import", medium, settings=settings_of(tmp_path))

    assert run.returncode == 1
    assert run.stdout.splitlines() == [
        f"taken {len(study.files) - 1} files",
        "skipped 1 file",
        "  1 a DICOMDIR",
        "failed 1 file",
        "  1 listed in the DICOMDIR and not there",
    ]


def test_the_agencys_archive_is_taken_over_and_goes_out_again(tmp_path: Path) -> None:
    """The agency has blanked certificates in the envelope and the signature, which are not read.

    Its metadata is a whole SOAP envelope of ITI-41, repeats the INS as the patient's id in the
    centre, names the manifest from IHE_XDM, and bears an entry id that the index never gave.
    """
    archive = shared_data() / "ans" / "XDM"
    settings = settings_of(tmp_path)

    taken = gateway_command("import", archive, settings=settings)
    again = gateway_command("import", archive, settings=settings)
    written = gateway_command("export", "--to", tmp_path / "out.zip", settings=settings)

    assert (taken.returncode, taken.stdout) == (0, "taken 1 pointer\n")
    assert (again.returncode, again.stdout) == (0, "known 1 pointer\n")
    assert (written.returncode, written.stdout) == (0, "written 1 pointer\n")
    theirs = archive / "KA202401" / "IHE_XDM" / "SS000001"
    with ZipFile(tmp_path / "out.zip") as out:
        folder = "KA202401/IHE_XDM/SS000001"
        assert out.read(f"{folder}/KOS_1_1.DCM") == (theirs / "KOS_1_1.DCM").read_bytes()
        assert out.read(f"{folder}/CR.TXT") == (theirs / "CR.TXT").read_bytes()
        ours = ElementTree.fromstring(out.read(f"{folder}/METADATA.XML"))
    theirs_read = ElementTree.parse(theirs / "METADATA.XML").getroot()
    assert described(ours) == described(theirs_read)


def described(root: ElementTree.Element) -> dict[str, set[tuple[str, ...]]]:
    """What the metadata tells of its manifest, as an independent reader sees it."""
    [document] = [
        one for one in root.iter(f"{RIM}ExtrinsicObject") if one.get("mimeType", "")[-5:] == "dicom"
    ]
    slots = {
        (slot.get("name", ""), *sorted(value.text or "" for value in slot.iter(f"{RIM}Value")))
        for slot in document.findall(f"{RIM}Slot")
    }
    return {
        "slots": {one for one in slots if one[0] not in OWN_SLOTS},
        "codes": {
            (one.get("classificationScheme", ""), one.get("nodeRepresentation") or "")
            for one in document.findall(f"{RIM}Classification")
        },
        "identifiers": {
            (one.get("identificationScheme", ""), one.get("value", ""))
            for one in document.findall(f"{RIM}ExternalIdentifier")
            if one.get("identificationScheme") != "1.2.3"
        },
    }


OWN_SLOTS = {
    "URI",  # ours is from the folder of the metadata
    "sourcePatientId",  # theirs is the INS
    "submissionTime",  # of the submission set, which theirs repeats
}


def test_old_exams_are_published_by_the_gateway_that_starts_next(
    tmp_path: Path, index: Index
) -> None:
    study = a_study(tmp_path / "made", "MR")

    run = gateway_command("import", study.folder, settings=settings_of(tmp_path))
    assert (run.returncode, run.stdout) == (0, f"taken {len(study.files)} files\n")

    settings = {"GATEWAY_INDEX_URL": index.url, "GATEWAY_STUDY_SETTLE_S": "0.2"}
    with a_gateway(tmp_path, settings=settings) as gateway:
        assert told(gateway.mllp, study.report)
        published(gateway, study)
        answer = asked(
            gateway.http,
            f"/dicom-web/studies/{study.uid}",
            accept=AS_STORED,
        )
        instances = [Instance.of(content) for _, content in answer.parts]
        busy = gateway_command("import", study.folder, settings=settings_of(tmp_path))

    assert {one.sop_instance: one.digest for one in instances} == study.digests
    assert busy.returncode == 1
    assert f"process {(gateway.data_dir / 'lock').read_text().strip()} uses" in busy.stderr


@pytest.mark.parametrize(
    "arguments, status, said",
    [
        (["import", "nowhere"], 2, "does not exist"),
        (["export"], 1, "no gateway has worked in"),
        (["export", "--since", "yesterday"], 2, "does not match"),
        (["import", ".", "--config", "nowhere.toml"], 2, "no configuration file"),
        (["import", "/dev/null"], 1, "not a folder or a zip archive"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    run = gateway_command(*arguments, settings=settings_of(tmp_path))

    assert run.returncode == status
    assert said in " ".join(run.stderr.split())
