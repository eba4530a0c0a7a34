"""Whatever a client says that it takes, it is met or refused in one way."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.negotiation import (
    BULK_TYPE,
    DICOM,
    bulk_form,
    data_set_form,
    instance_form,
    rendered_form,
)
from gateway.errors import InvalidRequest
from gateway.pixels.syntaxes import NATIVE

STORED = st.sampled_from(sorted({*NATIVE, *BULK_TYPE}))
WORDS = st.sampled_from(
    "*/* multipart/related multipart/* application/dicom application/octet-stream image/* image/jls"
    ' ; , = " \\ type transfer-syntax q 0 1 0.5 * 1.2.840.10008.1.2.4.80 charset'.split()
)
# Words of headers get further than letters drawn at random.
HEADERS = st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=40).map("".join))


@given(HEADERS, st.one_of(st.none(), HEADERS), STORED, st.booleans())
def test_any_accept_header_is_met_or_refused(header, parameter, stored, single) -> None:
    try:
        accepted = Accepted(header, parameter)
    except InvalidRequest:
        return
    for choose in (
        lambda: instance_form(accepted, stored, single=single),
        lambda: bulk_form(accepted, stored, single=single),
        lambda: rendered_form(accepted, ("image/jpeg", "image/png"), single=single),
        lambda: data_set_form(accepted),
    ):
        try:
            form = choose()
        except InvalidRequest:
            continue
        assert form.multipart or single or form.kind != DICOM
        assert form.part_type.isascii()
        assert "\n" not in form.part_type
