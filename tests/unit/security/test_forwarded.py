"""Who is believed to ask, and at which address (RFC 7239)."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway.security.forwarded import FORWARDED_LENGTH_MAX, HOPS_MAX, Forwarding, Told

PROXY = "10.0.0.1"
NEAR, FAR = "10.0.0.2", "10.0.0.3"
CALLER = "192.0.2.60"
OWN = "http://127.0.0.1:8080"


def forwarding(*proxies: str, fixed: bool = False) -> Forwarding:
    networks = [ip_network(one) for one in proxies or ("10.0.0.0/24", "2001:db8:ffff::/48")]
    return Forwarding(networks, base_url=OWN, fixed=fixed)


def read(peer: str = PROXY, *more: tuple[str, str], **headers: str) -> Told | None:
    """What is believed; a blank of a name stands for each hyphen."""
    named = {name.replace("_", "-").lower(): one for name, one in headers.items()}
    told = [(name.encode(), one.encode("latin-1")) for name, one in named.items()]
    told += [(name.encode(), one.encode()) for name, one in more]
    return forwarding().read(peer, Headers(raw=[(b"host", b"inner:8080"), *told]))


def believed(told: Told | None) -> tuple[str, str]:
    assert told is not None
    return str(told.client), told.base_url


@pytest.mark.parametrize(
    "header, client, base_url",
    [
        ("for=192.0.2.60;proto=https;host=images.example", CALLER, "https://images.example"),
        ("For=192.0.2.60; Proto=HTTPS ;HOST=images.example", CALLER, "https://images.example"),
        ('for="192.0.2.60:4711";proto=https;host="images.example:8443"', CALLER,
         "https://images.example:8443"),
        ('for="[2001:db8::17]:4711";proto=http;host="[2001:db8::1]:81"', "2001:db8::17",
         "http://[2001:db8::1]:81"),
        ('for="[2001:db8::17]"', "2001:db8::17", ""),
        ("for=192.0.2.60;by=203.0.113.43;secret=x", CALLER, ""),
        ("for=192.0.2.60;host=images.example", CALLER, "http://images.example"),
        ("for=192.0.2.60;proto=https", CALLER, "https://inner:8080"),
        (r'for="192\.0.2.60"', CALLER, ""),
        (", for=192.0.2.60,, ", CALLER, ""),
        ("for=unknown;proto=https;host=images.example", "None", "https://images.example"),
        ("for=_hidden;proto=https;host=images.example", "None", "https://images.example"),
        ("proto=https;host=images.example", "None", "https://images.example"),
        ("for=\"_SEVKISEK:_p\"", "None", ""),
    ],
)  # fmt: skip
def test_a_trusted_proxy_is_believed(header: str, client: str, base_url: str) -> None:
    assert believed(read(Forwarded=header)) == (client, base_url)


@pytest.mark.parametrize(
    "headers, client, base_url",
    [
        ({"X_Forwarded_For": CALLER}, CALLER, ""),
        ({"X_Forwarded_For": f"{CALLER}:4711"}, CALLER, ""),
        ({"X_Forwarded_For": "2001:db8::17"}, "2001:db8::17", ""),
        ({"X_Forwarded_For": "[2001:db8::17]:4711"}, "2001:db8::17", ""),
        ({"X_Forwarded_For": CALLER, "X_Forwarded_Proto": "https"}, CALLER, "https://inner:8080"),
        ({"X_Forwarded_For": CALLER, "X_Forwarded_Proto": "https",
          "X_Forwarded_Host": "images.example"}, CALLER, "https://images.example"),
        ({"X_Forwarded_For": CALLER, "X_Forwarded_Proto": "https",
          "X_Forwarded_Host": "images.example", "X_Forwarded_Prefix": "/centre/images/"},
         CALLER, "https://images.example/centre/images"),
        ({"X_Forwarded_For": CALLER, "X_Forwarded_Host": "images.example",
          "X_Forwarded_Prefix": "/"}, CALLER, "http://images.example"),
        ({"X_Forwarded_Proto": "https", "X_Forwarded_Host": "images.example"},
         "None", "https://images.example"),
    ],
)  # fmt: skip
def test_it_is_believed_by_customary_headers_too(
    headers: dict[str, str], client: str, base_url: str
) -> None:
    assert believed(read(**headers)) == (client, base_url)


@pytest.mark.parametrize("peer", [CALLER, "127.0.0.1", "10.0.1.1", "::1", "", "nonsense"])
def test_nobody_else_is(peer: str) -> None:
    assert read(peer, Forwarded=f"for={CALLER};proto=https;host=evil.example") is None
    assert read(peer, X_Forwarded_For=CALLER, X_Forwarded_Host="evil.example") is None


def test_who_trusts_no_proxy_believes_nobody() -> None:
    alone = Forwarding((), base_url=OWN, fixed=False)

    assert alone.read("127.0.0.1", Headers({"X-Forwarded-For": CALLER})) is None
    assert alone.base_url(None) == OWN


def test_a_proxy_of_version_4_is_known_on_a_listener_of_both() -> None:
    assert believed(read(f"::ffff:{PROXY}", X_Forwarded_For=CALLER)) == (CALLER, "")
    assert believed(read(X_Forwarded_For=f"::ffff:{CALLER}")) == (CALLER, "")


def test_a_request_of_the_proxy_itself_is_its_own() -> None:
    assert read() is None


@pytest.mark.parametrize(
    "chain, client",
    [
        (f"{CALLER}, {FAR}, {NEAR}", CALLER),
        (f"127.0.0.1, {CALLER}", CALLER),
        (f"127.0.0.1, {CALLER}, {FAR}", CALLER),
        (f"{NEAR}, {CALLER}", CALLER),
        (f"nonsense, {CALLER}, {NEAR}", CALLER),
        (f"{CALLER}, nonsense", "None"),
        (f"127.0.0.1, unknown, {NEAR}", "None"),
        (f"{CALLER},", "None"),
        (NEAR, NEAR),
        (", ".join([CALLER] + [NEAR] * (HOPS_MAX - 1)), CALLER),
        (", ".join(["127.0.0.1"] + [NEAR] * HOPS_MAX), NEAR),
    ],
)
def test_the_caller_is_whom_the_farthest_trusted_proxy_names(chain: str, client: str) -> None:
    """What stands before that was written by the caller."""
    assert believed(read(X_Forwarded_For=chain))[0] == client
    if "nonsense" not in chain and not chain.endswith(","):
        told = ", ".join(f"for={one}" for one in chain.split(", "))
        assert believed(read(Forwarded=told))[0] == client


def test_each_proxy_adds_to_a_list_or_one_sets_it_alone() -> None:
    added = {"X_Forwarded_Proto": "http, https, http",
             "X_Forwarded_Host": "evil.example, images.example, inner"}  # fmt: skip
    alone = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "images.example"}

    for headers in (added, alone):
        told = read(X_Forwarded_For=f"{CALLER}, {FAR}", **headers)
        assert believed(told) == (CALLER, "https://images.example")


def test_the_address_is_what_the_proxy_nearest_to_the_caller_tells() -> None:
    header = (
        "for=127.0.0.1;proto=http;host=evil.example,"
        f" for={CALLER};proto=https;host=images.example, for={FAR};proto=http;host=inner"
    )

    assert believed(read(Forwarded=header)) == (CALLER, "https://images.example")


@pytest.mark.parametrize(
    "header",
    [
        'for="192.0.2.60', 'for=", for=192.0.2.60', "for=192.0.2.60;for=127.0.0.1", "for",
        "for=192.0.2.60 proto=https", "=;=", "for=192.0.2.60;;proto", "for = 192.0.2.60",
        "for=[2001:db8::17]", "for=192.0.2.60\x00", "for=é",
        "for=192.0.2.60" + ";x=y" * FORWARDED_LENGTH_MAX,
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_nobody(header: str) -> None:
    assert believed(read(Forwarded=header)) == ("None", "")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example/path", "user@evil.example", "evil.example:0", "evil.example:99999", "-x",
        'x"><script>', "a b", "évil.example", "[::1", "[nonsense]", "[::g]", "x" * 300,
        "evil.example\\x", "evil.example#", "evil.example?x", "..", "x:y",
    ],
)  # fmt: skip
def test_a_host_that_is_none_makes_no_address(host: str) -> None:
    assert believed(read(X_Forwarded_For=CALLER, X_Forwarded_Host=host)) == (CALLER, "")


@pytest.mark.parametrize("scheme", ["ftp", "javascript", "https:", "h ttp"])
def test_nor_does_a_scheme(scheme: str) -> None:
    told = read(X_Forwarded_For=CALLER, X_Forwarded_Proto=scheme, X_Forwarded_Host="a.example")

    assert believed(told) == (CALLER, "")


@pytest.mark.parametrize(
    "prefix", ["x", "//evil.example", "/a/../b", "/..", "/a?b", "/é", "/a, /b", "/" + "x" * 65]
)
def test_nor_does_a_prefix(prefix: str) -> None:
    told = read(X_Forwarded_For=CALLER, X_Forwarded_Host="a.example", X_Forwarded_Prefix=prefix)

    assert believed(told) == (CALLER, "")


def test_a_header_that_is_too_long_counts_for_nothing() -> None:
    long = ", ".join([CALLER] * FORWARDED_LENGTH_MAX)

    assert believed(read(X_Forwarded_For=long)) == ("None", "")
    assert believed(read(X_Forwarded_For=CALLER, X_Forwarded_Host=long)) == ("None", "")


def test_two_kinds_that_contradict_each_other_name_nobody() -> None:
    """A proxy that sets one of them may pass on the other as its caller wrote it."""
    told = read(
        Forwarded="for=127.0.0.1;proto=https;host=evil.example",
        X_Forwarded_For=CALLER,
        X_Forwarded_Host="images.example",
    )

    assert believed(told) == ("None", "")


def test_two_kinds_that_agree_are_believed() -> None:
    told = read(
        Forwarded=f"for={CALLER}",
        X_Forwarded_For=CALLER,
        X_Forwarded_Proto="https",
        X_Forwarded_Host="images.example",
    )
    other = read(
        Forwarded=f"for={CALLER};host=evil.example",
        X_Forwarded_For=CALLER,
        X_Forwarded_Host="images.example",
    )

    assert believed(told) == (CALLER, "https://images.example")
    assert believed(other) == (CALLER, "")


def test_lines_of_one_header_are_one_list() -> None:
    told = read(PROXY, ("x-forwarded-for", CALLER), ("x-forwarded-for", NEAR))

    assert believed(told) == (CALLER, "")


def test_a_public_url_rules() -> None:
    told = Told(client=ip_address(CALLER), base_url="https://images.example")

    assert forwarding(fixed=True).base_url(told) == OWN
    assert forwarding().base_url(told) == "https://images.example"
    assert forwarding().base_url(Told(client=None)) == OWN


@given(
    st.dictionaries(
        st.sampled_from(["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                         "X-Forwarded-Prefix", "Host"]),
        st.text(st.characters(max_codepoint=255)) | st.text('for=prot;,:"\\[]1.9 /'),
    )
)  # fmt: skip
def test_whatever_is_sent_ends_in_an_address_that_is_one(headers: dict[str, str]) -> None:
    raw = [(name.lower().encode(), one.encode("latin-1")) for name, one in headers.items()]

    told = forwarding().read(PROXY, Headers(raw=raw))

    url = forwarding().base_url(told)
    assert url.isascii()
    assert url.isprintable()
    assert url.startswith(("http://", "https://"))
