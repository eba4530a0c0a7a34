"""A pointer in each form of its manifest: published in an index, and found by another gateway."""

from pathlib import Path

import aiohttp
import pytest

from gateway.federation.resolver import Resolver
from gateway.manifest.model import ManifestForm
from gateway.model.access import ANYONE
from gateway.model.decision import Publish
from gateway.publication.revision import RevisionBuilder
from gateway.security.policy import OpenAccess
from indexer.client.mhd import MhdIndex
from tests.support.indexes import a_served_index
from tests.support.manifests import CENTRE, CONTENT, INS, STUDY


@pytest.mark.parametrize("form", ManifestForm)
async def test_a_pointer_of_any_form_is_found_and_says_where_its_images_are(
    form: ManifestForm, tmp_path: Path
) -> None:
    build = RevisionBuilder(CENTRE, uid_root="2.25", form=form)
    submission = build(Publish(content=CONTENT, left_out=0), 1, 1_782_909_015_000)

    async with a_served_index(tmp_path) as url, aiohttp.ClientSession() as session:
        index = MhdIndex(url, session)
        await index.submit(submission)
        [pointer] = await Resolver(OpenAccess(), index).find(ANYONE, INS)

    assert pointer.study_uid == STUDY
    assert pointer.document_id == submission.entry.unique_id
    assert pointer.study_date == "20260115"
    assert pointer.modalities == ("CT",)
    assert pointer.retrieve_urls == tuple(
        CENTRE.retrieve_url(STUDY, one.series) for one in CONTENT.series
    )
