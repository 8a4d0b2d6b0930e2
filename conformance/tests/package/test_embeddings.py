from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import struct
from typing import Any

import httpx
import pytest

from conformance.tests.package.in_each import in_each
from conformance.tests.package.mock_service import KEY
from langchain_baseten import (
    BasetenConnectionError,
    BasetenContextOverflowError,
    BasetenEmbeddings,
    BasetenError,
    BasetenInvalidResponseError,
    BasetenNotFoundError,
    BasetenRateLimitError,
    BasetenRequestError,
    ErrorResponse,
)
from langchain_baseten._config.references import SecretTable
from langchain_baseten._protocol.embeddings import BatchContext, read_vectors

URL = "https://model-abcd1234.api.baseten.co/environments/production/sync"

WAYS: dict[str, Any] = {
    "sync": lambda model, texts: model.embed_documents(texts),
    "async": lambda model, texts: asyncio.run(model.aembed_documents(texts)),
}
sync_and_async = pytest.mark.parametrize("embed", WAYS.values(), ids=WAYS)


def finish(work: Any) -> Any:
    """Return what a query comes to, awaited if need be."""
    return asyncio.run(work) if asyncio.iscoroutine(work) else work


def over(answer: Any, **settings: Any) -> BasetenEmbeddings:
    transport = httpx.MockTransport(answer)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    given = {"model_url": URL, "api_key": KEY, "max_retries": 0}
    return BasetenEmbeddings(**{**given, **clients, **settings})


class Engine:
    """Embeds each text as its length, and answers in any order it likes."""

    def __init__(self, *failures: httpx.Response) -> None:
        self.requests: list[httpx.Request] = []
        self._failures = list(failures)

    def model(self, **settings: Any) -> BasetenEmbeddings:
        return over(self._answer, **settings)

    @property
    def batches(self) -> list[list[str]]:
        return sorted(json.loads(request.content)["input"] for request in self.requests)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._failures:
            return self._failures.pop(0)
        texts = json.loads(request.content)["input"]
        rows = [{"index": n, "embedding": [float(len(t))]} for n, t in enumerate(texts)]
        return httpx.Response(200, json={"data": rows[::-1]})


@sync_and_async
def test_each_text_gets_its_vector_in_order(embed: Any) -> None:
    engine = Engine()
    assert embed(engine.model(), ["a", "bbb", "cc"]) == [[1.0], [3.0], [2.0]]
    request = engine.requests[0]
    assert str(request.url) == f"{URL}/v1/embeddings"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {"input": ["a", "bbb", "cc"], "model": "model-abcd1234"}


def test_a_query_gets_one_vector() -> None:
    model = Engine().model()
    assert model.embed_query("four") == [4.0]
    assert asyncio.run(model.aembed_query("four")) == [4.0]


@sync_and_async
def test_no_texts_need_no_request(embed: Any) -> None:
    engine = Engine()
    assert embed(engine.model(), []) == []
    assert not engine.requests


def test_a_served_model_name_is_sent() -> None:
    engine = Engine()
    engine.model(model="bge").embed_query("a")
    assert json.loads(engine.requests[0].content)["model"] == "bge"


NO_VECTORS = "holds no list of vectors"
NOT_FINITE = "holds a vector for text 41 that is not a list of finite numbers: "
BASE64 = base64.b64encode(struct.pack("<2f", 1.5, -2)).decode()
WRONG: dict[str, str] = {
    "no JSON": NO_VECTORS,
    "[]": NO_VECTORS,
    "{}": NO_VECTORS,
    '{"data": {}}': NO_VECTORS,
    '{"data": [1, 2]}': NO_VECTORS,
    '{"data": []}': "holds no vector for text 40",
    '{"data": [{"embedding": [1]}]}': "holds no vector for text 41",
    '{"data": [{"embedding": [1], "index": 1}]}': "holds no vector for text 40",
    '{"data": [{"embedding": [1]}, {"embedding": "AAA="}]}': f'{NOT_FINITE}"AAA="',
    '{"data": [{"embedding": [1]}, {"embedding": "text"}]}': f'{NOT_FINITE}"text"',
    '{"data": [{"embedding": [1]}, {"embedding": "a b"}]}': f'{NOT_FINITE}"a b"',
    '{"data": [{"embedding": [1]}, {"embedding": ""}]}': f'{NOT_FINITE}""',
    '{"data": [{"embedding": [1]}, {"embedding": "AADAfw=="}]}': f'{NOT_FINITE}"AADAfw=="',
    '{"data": [{"embedding": [1]}, {}]}': f"{NOT_FINITE}null",
    '{"data": [{"embedding": [1]}, {"embedding": 5}]}': f"{NOT_FINITE}5",
    '{"data": [{"embedding": [1]}, {"embedding": {"a": 1}}]}': f'{NOT_FINITE}{{"a": 1}}',
    '{"data": [{"embedding": [1]}, {"embedding": []}]}': f"{NOT_FINITE}[]",
    '{"data": [{"embedding": [1]}, {"embedding": [[1]]}]}': f"{NOT_FINITE}[[1]]",
    '{"data": [{"embedding": [1]}, {"embedding": ["1"]}]}': f'{NOT_FINITE}["1"]',
    '{"data": [{"embedding": [1]}, {"embedding": [null]}]}': f"{NOT_FINITE}[null]",
    '{"data": [{"embedding": [1]}, {"embedding": [NaN]}]}': f"{NOT_FINITE}[NaN]",
    '{"data": [{"embedding": [1]}, {"embedding": [-Infinity]}]}': f"{NOT_FINITE}[-Infinity]",
    '{"data": [{"embedding": [1]}, {"embedding": [1e999]}]}': f"{NOT_FINITE}[Infinity]",
    '{"data": [{"embedding": [1]}, {"embedding": [true]}]}': f"{NOT_FINITE}[true]",
    f'{{"data": [{{"embedding": [1]}}, {{"embedding": [1{"0" * 400}]}}]}}': f"{NOT_FINITE}[10000",
    '{"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}': (
        "holds a vector of 2 numbers for text 41, but one of 1 for text 40"
    ),
    '{"data": [{"embedding": [1], "index": 0}, {"embedding": [1], "index": 0}]}': (
        "holds two vectors for text 40"
    ),
    '{"data": [{"embedding": [1]}, {"embedding": [1]}, {"embedding": [1]}]}': (
        "holds a vector with the index 2, where 2 texts were sent from text 40 on"
    ),
    **{
        f'{{"data": [{{"embedding": [1], "index": 0}}, {{"embedding": [1], "index": {index}}}]}}': (
            f"holds a vector with the index {shown}, where 2 texts were sent from text 40 on"
        )
        for index, shown in {
            "2": "2",
            "-1": "-1",
            "true": "True",
            "null": "None",
            '"1"': "'1'",
            "1.0": "1.0",
            "[1]": "[1]",
        }.items()
    },
}


@in_each(("text", "words"), WRONG.items())
def test_an_answer_without_a_vector_for_each_text_is_refused(text: str, words: str) -> None:
    headers = {"x-baseten-request-id": "r1", "set-cookie": "a=b"}
    with pytest.raises(BasetenInvalidResponseError) as caught:
        read_vectors(text, BatchContext(count=2, first=40), status=201, headers=headers)
    assert str(caught.value).startswith(f"The server returned HTTP 201, but its response {words}")
    assert len(str(caught.value)) < 400
    assert caught.value.request_id == "r1"
    assert caught.value.response == ErrorResponse(201, text, {"x-baseten-request-id": "r1"})


@in_each(("length", "wrong"), [(1, True), (2, False), (3, True)])
def test_a_vector_has_the_length_that_was_requested(length: int, wrong: bool) -> None:
    text = json.dumps({"data": [{"embedding": [1.0] * length}]})
    context = BatchContext(count=1, first=7, dimensions=2)
    if not wrong:
        assert read_vectors(text, context) == [[1.0] * length]
        return
    message = f"a vector of {length} numbers for text 7, where dimensions=2 was requested"
    with pytest.raises(BasetenInvalidResponseError, match=message):
        read_vectors(text, context)


def test_vectors_in_base64_are_read_beside_lists() -> None:
    text = json.dumps({"data": [{"embedding": BASE64}, {"embedding": [3, 4]}]})
    vectors = read_vectors(text, BatchContext(count=2))
    assert vectors == [[1.5, -2.0], [3.0, 4.0]]
    assert {type(number) for vector in vectors for number in vector} == {float}


def test_rows_without_an_index_stay_in_their_order() -> None:
    text = '{"data": [{"embedding": [2]}, {"embedding": [1], "index": null}]}'
    assert read_vectors(text, BatchContext(count=2)) == [[2], [1]]


def test_an_answer_with_a_remark_is_no_error() -> None:
    text = '{"data": [{"embedding": [2]}], "message": "fine", "code": 0, "detail": "x"}'
    assert read_vectors(text, BatchContext(count=1)) == [[2]]


@sync_and_async
def test_batches_with_vectors_of_different_lengths_are_refused(embed: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        return httpx.Response(200, json={"data": [{"embedding": [1.0] * len(t)} for t in texts]})

    with pytest.raises(BasetenInvalidResponseError) as caught:
        embed(over(answer, chunk_size=2), ["aa", "aa", "aa", "aa", "aaa"])
    assert str(caught.value) == (
        "The server returned a vector of 3 numbers for text 4, but one of 2 for text 0. Check that "
        "all replicas serve one model."
    )


@sync_and_async
def test_what_is_requested_of_vectors_is_sent(embed: Any) -> None:
    engine = Engine()
    embed(engine.model(dimensions=1, encoding_format="base64"), ["a"])
    assert json.loads(engine.requests[0].content) == {
        "input": ["a"],
        "model": "model-abcd1234",
        "dimensions": 1,
        "encoding_format": "base64",
    }
    with pytest.raises(BasetenInvalidResponseError, match="dimensions=2 was requested"):
        embed(engine.model(dimensions=2), ["a"])


@sync_and_async
def test_empty_texts_are_sent_as_they_are(embed: Any) -> None:
    engine = Engine()
    assert embed(engine.model(), ["", "a", ""]) == [[0.0], [1.0], [0.0]]
    assert engine.batches == [["", "a", ""]]


@in_each("name", ["chunk_size", "max_concurrency", "dimensions"])
@in_each("value", [0, -1, "many"])
def test_a_number_that_cannot_be_is_refused_at_construction(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Engine().model(**{name: value})


@in_each("embed", WAYS)
@in_each("name", ["chunk_size", "max_concurrency"])
@in_each("value", [0, "2"])
def test_a_number_that_a_copy_was_given_is_checked_by_the_call(
    embed: Any, name: str, value: Any
) -> None:
    engine = Engine()
    with pytest.raises(BasetenRequestError, match=f"{name}={value!r} is not a number above 0"):
        embed(engine.model().model_copy(update={name: value}), ["a"])
    assert not engine.requests


def test_a_url_that_takes_no_embeddings_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="URL"):
        BasetenEmbeddings(model_url="nowhere", api_key=KEY)


def test_the_built_in_clients_are_used_unless_others_are_given() -> None:
    model = BasetenEmbeddings(
        model_url="http://127.0.0.1:9/v1", api_key=KEY, timeout=1, max_retries=0
    )
    for embed in WAYS.values():
        with pytest.raises(BasetenConnectionError, match=r"Cannot connect to 127\.0\.0\.1"):
            embed(model, ["a"])


def test_a_pickle_holds_no_key_and_no_client_and_works_where_it_lands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(TypeError, match="BasetenEmbeddings with http_client"):
        pickle.dumps(Engine().model())
    state = pickle.dumps(BasetenEmbeddings(model_url=URL, api_key=KEY))
    assert KEY.encode() not in state
    landed = pickle.loads(state)  # noqa: S301  our own bytes
    assert landed.api_key.get_secret_value() == KEY
    monkeypatch.setattr("langchain_baseten._config.references._SECRETS_BY_REFERENCE", SecretTable())
    with pytest.raises(BasetenRequestError, match="unpickled without its API key"):
        pickle.loads(state).embed_query("a")  # noqa: S301  same
    monkeypatch.setenv("BASETEN_API_KEY", KEY)
    assert pickle.loads(state).api_key.get_secret_value() == KEY  # noqa: S301  same


@in_each("embed", WAYS)
@in_each(
    ("body", "error"),
    [
        ({"error": {"message": f"slow {KEY}", "code": 429}}, BasetenRateLimitError),
        ({"object": "error", "message": f"no {KEY}", "code": 404}, BasetenNotFoundError),
        ({"detail": f"prompt is too long {KEY}"}, BasetenContextOverflowError),
    ],
)
def test_an_error_inside_a_200_is_that_error(
    embed: Any, body: dict[str, Any], error: type[BasetenError]
) -> None:
    with pytest.raises(error) as caught:
        embed(Engine(httpx.Response(200, json=body)).model(), ["a"])
    assert type(caught.value) is error
    assert KEY not in f"{caught.value}{caught.value.body}{caught.value.response}"


@in_each("embed", WAYS)
@in_each(
    ("texts", "message"),
    [
        ("one text", "takes a list of texts, not a str"),
        (b"bytes", "takes a list of texts, not a bytes"),
        (None, "takes a list of texts, not a NoneType"),
        (5, "takes a list of texts, not a int"),
        ({"a": "b"}, "takes a list of texts, not a dict"),
        ({"a", "b"}, "takes a list of texts, not a set"),
        (["a", None], "Text 1 of embed_documents is a NoneType"),
        ([b"a"], "Text 0 of embed_documents is a bytes"),
        ([["a"]], "Text 0 of embed_documents is a list"),
        (["a"] * 99 + ["\ud83d"], "Text 99 of embed_documents holds half of a surrogate pair"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_before_anything_is_sent(
    embed: Any, texts: Any, message: str
) -> None:
    engine = Engine()
    with pytest.raises(BasetenRequestError, match=message):
        embed(engine.model(), texts)
    assert not engine.requests


@in_each("text", [None, ["a"], b"a", 5, "\ud83d"])
def test_a_query_that_is_no_text_is_refused(text: Any) -> None:
    engine = Engine()
    for query in (engine.model().embed_query, engine.model().aembed_query):
        with pytest.raises(BasetenRequestError, match="The text of embed_query"):
            finish(query(text))
    assert not engine.requests


@in_each("embed", WAYS)
@in_each("make", [tuple, iter, lambda texts: (text for text in texts)])
def test_anything_that_yields_texts_in_order_is_a_list_of_texts(embed: Any, make: Any) -> None:
    assert embed(Engine().model(), make(["a", "bb"])) == [[1.0], [2.0]]


def test_embeddings_copy_and_close_as_a_chat_model_does() -> None:
    engine = Engine()
    made = engine.model()
    for other in (copy.copy(made), copy.deepcopy(made), made.model_copy()):
        assert other == made
        assert other._connections is not made._connections
        with other as entered:
            assert entered.embed_query("four") == [4.0]
