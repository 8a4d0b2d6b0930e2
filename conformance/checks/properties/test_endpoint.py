"""Laws of the endpoint: one place for every spelling, and never another host than the given one.

Judges with the `URL` of either HTTP library as the independent parser: that is what sends the key.
HYPOTHESIS_EXAMPLES asks for more (and random) examples; the default is fixed and fast.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import product, takewhile, zip_longest
from typing import Any
from urllib.parse import urlsplit

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conformance.libraries import LIBRARIES
from langchain_baseten._config.endpoint import (
    Endpoint,
    EndpointError,
    parse_base_url,
    parse_model_url,
)

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
often = settings(max_examples=EXAMPLES or 60, derandomize=not EXAMPLES, deadline=None)
BOTH = (parse_model_url, parse_base_url)

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=7, max_size=8).filter(
    lambda text: set(text) != {"x"}
)
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True),
    st.sampled_from(["predict", "predictor", "sync", "v1", "production", "deployment"]),
)
SEGMENTS = st.one_of(
    st.text("abzAZ09-._~!$&'()*+,;=:@", min_size=1, max_size=8),
    st.sampled_from(["predict", "sync", "v1", "chat", "completions", "embeddings", "%2F", "%2e"]),
    st.sampled_from(
        ["production", "environments", "deployment", "wake", "async_predict", "https:"]
    ),
)
PATHS = st.lists(SEGMENTS, max_size=6).map(lambda segments: "".join(f"/{s}" for s in segments))
LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?", fullmatch=True)
DOMAINS = st.builds(
    "{}.{}".format,
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    st.sampled_from(["example", "dev", "Internal", "co"]),
)
HOSTS = st.one_of(
    DOMAINS,
    IDS.map("model-{}.api.baseten.co".format),
    st.tuples(IDS, LABELS).map(lambda pair: f"model-{pair[0]}-{pair[1]}.api.baseten.co"),
    st.just("inference.baseten.co"),
    st.just("model-<id>.api.baseten.co"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
)
PORTS = st.one_of(st.just(""), st.integers(0, 70000).map(":{}".format))
SCHEMES = st.sampled_from(["https", "http", "HTTPS"])
URLS = st.builds("{}://{}{}{}".format, SCHEMES, HOSTS, PORTS, PATHS)

# Pieces that parsers of URLs are known to read differently, in any order.
CHUNKS = st.one_of(
    st.sampled_from(
        ["http", "https", "://", ":", "/", "//", "\\", "@", "#", "?", ".", "..", "[", "]"]
    ),
    st.sampled_from(["%2f", "%40", "%00", "%25", "[::1]", ":443", ":80", "xn--", "<id>", "{id}"]),
    st.sampled_from(["\u3002", "\uff0e", "\uff0f", "\uff20", "\u212a", "\u017f", "\u00df"]),
    st.sampled_from(["\t", "\n", "\x00", " ", "\ufeff", "\u202e"]),
    st.sampled_from(["model-abcd1234.api.baseten.co", "inference.baseten.co", "evil.example"]),
    st.text(max_size=3),
)
GARBAGE = st.one_of(
    st.lists(CHUNKS, max_size=10).map("".join),
    st.lists(CHUNKS, max_size=8).map(lambda chunks: "https://" + "".join(chunks)),
)
SUSPECT = st.builds("{}{}".format, URLS, st.lists(CHUNKS, max_size=4).map("".join))
ANYTHING = st.one_of(
    URLS,
    SUSPECT,
    GARBAGE,
    st.text(),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.text("\"'<>/ "),
)

TARGETS = st.one_of(
    st.just(""),
    st.sampled_from(["/production", "/development"]),
    NAMES.map("/environments/{}".format),
    NAMES.map("/deployment/{}".format),
)
SUFFIXES = [
    "/predict",
    "/sync",
    "/sync/v1",
    "/sync/v1/chat/completions",
    "/predict/chat/completions",
]
BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff\u200b\u200c\u200d\u2060"
OPENINGS = st.sampled_from(["", " ", "\n", "\ufeff", "\t\u200b"])
ENDINGS = st.sampled_from(["", "/", "//", "/?", "?x=1", "#top", "/?a=b/predict#c", " ", "\r\n"])


def parse_by_both(text: str) -> list[Endpoint]:
    """Return what the text says as either setting; a text that is neither is no example."""
    found = []
    for parse in BOTH:
        with suppress(EndpointError):
            found.append(parse(text))
    assume(found)
    return found


def read_as_the_sender(library: Any, text: str) -> tuple[str, str, int]:
    """Reads scheme, host and port as the client that sends the key does."""
    url = library.URL(text)
    default = {"http": 80, "https": 443}[
        url.scheme
    ]  # both libraries keep :443 behind an HTTPS:// in capitals
    return url.scheme, url.raw_host.decode().lower().removesuffix("."), url.port or default


@often
@given(text=ANYTHING)
@example(text="https://\u212aimi.example/v1")
@example(text="\ud800")
@example(text="https://h:" + "9" * 5000)
@example(text="https://[")
@example(text="https://[::1%25]/v1")
def test_no_text_raises_anything_but_the_one_error(text: str) -> None:
    for parse in BOTH:
        try:
            endpoint = parse(text)
        except EndpointError as error:
            assert str(error).isprintable()  # noqa: PT017 - texts parse or fail, both are judged
        else:
            assert endpoint.base_url.startswith(("https://", "http://"))


@often
@given(text=st.one_of(URLS, SUSPECT, GARBAGE))
@example(text="https://h/chat/completions/embeddings/")
@example(text="https://h/chat/completions/chat/completions")
@example(text="https://h/v1/embeddings/embeddings")
@example(text="https://h/to/https:///chat/completions")
@example(text="https://model-abcd1234.api.baseten.co/environments/predict/predict")
@example(text="https://model-abcd1234.api.baseten.co/environments/sync/v1/v1")
def test_parsing_what_was_printed_gives_the_same_endpoint(text: str) -> None:
    for endpoint in parse_by_both(text):
        assert parse_base_url(str(endpoint)) == endpoint
    with suppress(EndpointError):
        endpoint = parse_model_url(text)
        assert parse_model_url(str(endpoint)) == endpoint


@often
@given(text=st.one_of(URLS, SUSPECT, GARBAGE))
@example(text="https://inference.baseten.co#@evil.example/")
@example(text="https://inference.baseten.co?@evil.example/")
@example(text="https://evil.example/@inference.baseten.co/v1")
@example(text="https://inference.baseten.co./v1")
@example(text="http://[::FFFF:127.0.0.1]:80/v1")
@example(text="https://inference.baseten.co@evil.example/v1")
@example(text="https://h:0443/v1")
@example(text="HTTPS://h:443/v1")
@example(text="https://h\r\ufeff\r")
@example(text="http://0.0.0.00/v1")
def test_the_key_travels_to_the_host_and_port_that_were_given_and_to_no_other(text: str) -> None:
    for endpoint, library in product(parse_by_both(text), LIBRARIES.values()):
        sent, given_text = library.URL(endpoint.chat_url), text.strip(BLANK)
        taken = read_as_the_sender(library, endpoint.chat_url)
        assert taken == read_as_the_sender(library, given_text)
        assert sent.userinfo == sent.query == b""
        assert sent.path.endswith("/chat/completions")


@often
@given(text=URLS)
@example(text="http://[::1]:8000/v1")
def test_two_parsers_agree_on_the_authority_of_the_result(text: str) -> None:
    assume("<id>" not in text)  # no parser agrees on a host that cannot exist
    for endpoint, library in product(parse_by_both(text), LIBRARIES.values()):
        own, other = library.URL(endpoint.base_url), urlsplit(endpoint.base_url)
        assert (other.scheme, other.hostname, other.port) == (own.scheme, own.host, own.port)


@often
@given(model=IDS, target=TARGETS, opening=OPENINGS, ending=ENDINGS)
def test_every_spelling_of_one_deployment_reaches_one_endpoint(
    model: str, target: str, opening: str, ending: str
) -> None:
    origin = f"https://model-{model}.api.baseten.co"
    # Behind a target `v1` is a wrong form of `sync/v1`; `environments/sync/v1` has no name.
    wrong = ["/v1", "/v1/chat/completions"] if target and not target.endswith("/sync") else []

    spellings = {
        parse(f"{opening}{host}{target}{suffix}{ending}")
        for parse in BOTH
        for suffix in SUFFIXES + wrong
        for host in (origin, origin.upper(), f"{origin}.", f"{origin}:443")
    }
    (endpoint,) = spellings
    assert endpoint.base_url == f"{origin}{target}/sync/v1"
    assert (endpoint.kind, endpoint.deployment) == ("dedicated", model)


@often
@given(model=IDS, name=NAMES, suffix=st.sampled_from(SUFFIXES))
def test_the_environment_is_the_one_that_the_path_names(model: str, name: str, suffix: str) -> None:
    paths = {
        f"/environments/{name}": name,
        f"/deployment/{name}": None,
        "/production": "production",
        "/development": "development",
        "": None,
    }
    for parse, (path, environment) in product(BOTH, paths.items()):
        url = f"https://model-{model}.api.baseten.co{path}{suffix}"
        assert parse(url).environment == environment


@often
@given(host=DOMAINS, prefix=st.lists(NAMES, max_size=4), opening=OPENINGS, ending=ENDINGS)
def test_every_spelling_behind_a_proxy_reaches_one_endpoint(
    host: str, prefix: list[str], opening: str, ending: str
) -> None:
    path = "".join(f"/{name}" for name in prefix)
    expected = Endpoint(f"https://{host.lower()}{path}/sync/v1", "custom", None, None)
    assume(not host.lower().endswith(".baseten.co"))

    urls = [f"{opening}https://{host}{path}{suffix}{ending}" for suffix in SUFFIXES]
    assert {parse(url) for parse in BOTH for url in urls} == {expected}


@often
@given(model=IDS, region=LABELS, suffix=st.sampled_from(SUFFIXES))
def test_a_regional_host_keeps_model_and_environment(model: str, region: str, suffix: str) -> None:
    origin = f"https://model-{model}-{region.lower()}.api.baseten.co"

    expected = Endpoint(f"{origin}/sync/v1", "dedicated", model, region.lower())
    assert [parse(f"{origin}{suffix}") for parse in BOTH] == [expected] * 2


@often
@given(text=URLS)
@example(text="https://h/predict/v1/sync/predictor/predict")
@example(text="https://model-abcd1234.api.baseten.co/environments/predict/predict")
@example(text="https://model-abcd1234.api.baseten.co/deployment/sync/v1/v1")
def test_only_the_last_segments_are_ever_rewritten(text: str) -> None:
    received = text.split("://", 1)[1].split("/")[1:]
    for endpoint in parse_by_both(text):
        printed = endpoint.base_url.split("://", 1)[1].split("/")[1:]
        pairs = zip_longest(received, printed)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        assert printed[kept:] in ([], ["v1"], ["sync", "v1"])
        dropped = "/".join(received[kept:])
        for route in ("chat/completions", "embeddings"):
            dropped = dropped.replace(route, "")
        assert dropped.strip("/") in {"", "predict", "v1"}
