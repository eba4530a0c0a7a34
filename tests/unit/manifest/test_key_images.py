"""How the French manifest tells of key images."""

from tests.support.manifests import CONTENT, a_manifest, opened, with_key_images


def test_a_key_image_names_the_key_object_that_selects_it() -> None:
    """As the agency's sample `KIN` does."""
    manifest = opened(a_manifest(with_key_images(CONTENT)))
    [study] = manifest.CurrentRequestedProcedureEvidenceSequence
    images, keys = study.ReferencedSeriesSequence

    chosen, other = images.ReferencedSOPSequence
    [selecting] = chosen.ReferencedSOPSequence
    [title], [content] = selecting.ConceptNameCodeSequence, selecting.ContentSequence
    assert (
        selecting.ReferencedSOPInstanceUID == keys.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    )
    assert selecting.SeriesInstanceUID == keys.SeriesInstanceUID
    assert (title.CodeValue, title.CodeMeaning) == ("113000", "Of Interest")
    assert content.TextValue == "Lésion suspecte"
    assert "ReferencedSOPSequence" not in other
    assert "ReferencedSOPSequence" not in keys.ReferencedSOPSequence[0]
