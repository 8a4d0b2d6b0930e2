from __future__ import annotations

import json
import math
from typing import Any

import pytest

from conformance.reference import AnswerPlan, make_request, respond

URL = "https://model-abc.api.baseten.co/environments/production/sync/v1/embeddings"


def embed(given: Any) -> AnswerPlan:
    return respond(make_request(URL, {"model": "bge", "input": given}))


def test_each_text_gets_its_unit_vector_in_order() -> None:
    body = json.loads(embed(["a b", "c", "a b"]).body)
    assert list(body) == ["object", "data", "model", "usage"]
    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    first, other, again = (item["embedding"] for item in body["data"])
    assert first == again != other
    assert len(first) == 8
    assert math.isclose(math.hypot(*first), 1)
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert body["model"] == "bge"


def test_a_single_text_is_a_batch_of_one() -> None:
    one = json.loads(embed("a b").body)["data"]
    assert one == json.loads(embed(["a b"]).body)["data"]
    assert len(one) == 1


def test_a_batch_is_limited() -> None:
    assert embed(["x"] * 128).status == 200
    plan = embed(["x"] * 129)
    assert plan.status == 413
    told = "batch size 129 > maximum allowed batch size 128"
    assert json.loads(plan.body)["message"] == told


@pytest.mark.parametrize("given", [None, 7, [1, 2], {"a": 1}])
def test_an_input_that_is_no_text_is_refused(given: Any) -> None:
    assert embed(given).status == 422


def test_a_body_that_is_no_object_has_no_input() -> None:
    assert respond(make_request(URL, b"[]")).status == 422
    assert json.loads(respond(make_request(URL, {"input": "a"})).body)["model"] == "model"
