"""A report may keep its studies out of the index, and may be about more than one of them."""

from dataclasses import replace
from pathlib import Path

from simulators.imaging_centre.document import first_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.ris import build_oru
from simulators.synthetic.identity import ACCESSION_ISSUER
from tests.scenarios.reports import a_report, flagged, with_status
from tests.support.world import Study, World, a_world

NOT_FOR_DMP = flagged("DESTDMP", "N", before="Y")


def with_a_second_act(study_uid: str) -> tuple[str, str]:
    """The change that makes a CDA tell of one more study."""
    event = (
        f'<documentationOf><serviceEvent classCode="ACT"><id root="{study_uid}"/>'
        '<code code="36643-5" codeSystem="2.16.840.1.113883.6.1" displayName="RX thorax"/>'
        '<effectiveTime><low value="20250901170500+0200"/></effectiveTime>'
        "</serviceEvent></documentationOf>"
    )
    return "</documentationOf>", f"</documentationOf>{event}"


def with_a_second_accession(accession: str) -> tuple[str, str]:
    """The change that makes a CDA list one more accession number."""
    order = (
        "<inFulfillmentOf><order>"
        f'<ps3-20:accessionNumber root="{ACCESSION_ISSUER}" extension="{accession}"/>'
        "</order></inFulfillmentOf>"
    )
    return "</inFulfillmentOf>", f"</inFulfillmentOf>{order}"


def another_of_the_same_patient(world: World, study: Study) -> Study:
    """A second study of the patient, with an accession number of its own."""
    other = world.a_study().examination
    return world.images_of(replace(other, patient=study.examination.patient), "same-patient")


async def test_what_is_not_for_the_dmp_is_withheld_until_a_report_says_that_it_is(
    world: World,
) -> None:
    study = world.a_study()
    await world.push(study)

    await world.report(a_report(study, message=[NOT_FOR_DMP]))
    withheld = await world.stands(study, "withheld", "not_for_dmp")
    entries = await world.entries(study.examination.patient)
    listed = await world.get("/api/set-aside?limit=1000")
    await world.report(a_report(study, version=2))
    await world.published(study)

    assert "DESTDMP" in withheld["reason"]
    assert entries == []
    assert study.uid not in {entry["study_uid"] for entry in listed["set_aside"]}
    assert await world.fetch(study) == study.digests


async def test_a_report_publishes_nothing_until_it_is_validated(world: World) -> None:
    study = world.a_study()
    await world.push(study)

    await world.report(a_report(study, message=[with_status("P")]))
    await world.stands(study, "waiting", "report_validation")
    entries = await world.entries(study.examination.patient)
    await world.report(a_report(study))
    await world.published(study)

    assert entries == []
    assert await world.fetch(study) == study.digests


async def test_a_centre_may_publish_what_its_senders_mark_as_not_for_the_dmp(
    tmp_path: Path,
) -> None:
    with a_world(tmp_path, settings={"GATEWAY_HONOUR_DESTDMP": "false"}) as world:
        study = world.a_study()
        await world.push(study)

        await world.report(a_report(study, message=[NOT_FOR_DMP]))
        await world.published(study)

        assert await world.fetch(study) == study.digests


async def test_a_report_on_two_studies_publishes_both_each_when_its_images_are_there(
    world: World,
) -> None:
    first = world.a_study()
    two_images = another_of_the_same_patient(world, first)
    second = replace(two_images, files=two_images.files[:1])  # which cannot settle in part
    changes = [with_a_second_act(second.uid), with_a_second_accession(second.examination.accession)]
    await world.push(first)

    await world.report(a_report(first, cda=changes))
    await world.published(first)
    alone = await world.entries(first.examination.patient)
    await world.push(second)
    await world.published(second)

    both = await world.entries(first.examination.patient)
    assert [entry.status for entry in alone] == ["current"]
    assert [entry.status for entry in both] == ["current", "current"]
    assert await world.fetch(first) == first.digests
    assert await world.fetch(second) == second.digests


async def test_images_may_bear_any_accession_number_that_their_report_lists(world: World) -> None:
    study = world.a_study()
    examination = replace(study.examination, accession=f"{study.examination.accession}-B")
    images = world.images_of(examination, "second-accession")
    await world.push(images)

    await world.report(a_report(study, cda=[with_a_second_accession(examination.accession)]))
    await world.published(study)

    [entry] = await world.entries(study.examination.patient)
    assert {study.examination.accession, examination.accession} <= entry.references
    assert await world.fetch(images) == images.digests


async def test_two_reports_on_one_study_hide_what_either_hides(world: World) -> None:
    study = world.a_study()
    second = build_oru(
        first_version(study.examination, number=2),
        header=Header(sent_at=study.examination.started_at),
        flags={"MASQUE_PS": "Y", "INVISIBLE_PATIENT": "N"},
    )
    await world.push(study)
    await world.report(a_report(study))
    await world.published(study)

    await world.report(second)
    await world.published(study, revision=2)

    entries = await world.entries(study.examination.patient)
    [current] = [entry for entry in entries if entry.status == "current"]
    assert {"MASQUE_PS", "INVISIBLE_PATIENT"} <= current.confidentiality
