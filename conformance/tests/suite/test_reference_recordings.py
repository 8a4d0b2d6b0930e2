"""Every recording of the reference server is asked for again: what it said, it still says."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from conformance.recording.cassettes import list_cassettes, read_interactions, read_provenance
from conformance.recording.vcr_hooks import Redactor
from conformance.reference import make_request, respond

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.untraced("the reference server is not measured")

_OF_THE_BYTES = re.compile(r"[0-9a-f]{16,}|\d+ characters")
"""Ids, and the length of what is seen or heard: a cassette holds a digest instead of that."""


def list_recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in list_cassettes():
        about = read_provenance(path)
        if about and about.evidence == "reference":
            yield from ((path.name, each) for each in read_interactions(path))


def ask_again(request: dict[str, Any]) -> Any:
    body = request["body"] or b""
    given = body if isinstance(body, bytes) else body.encode()
    plan = respond(make_request(request["uri"], given, method=request["method"]))
    headers: dict[str, list[str]] = defaultdict(list)
    for name, value in plan.headers:
        headers[name].append(value)
    status = {"code": plan.status, "message": ""}
    return Redactor().redact_response(
        {"status": status, "headers": headers, "body": {"string": plan.body}}
    )


def describe(response: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
    headers = {name: value for name, value in response["headers"].items() if "-id" not in name}
    text = response["body"]["string"]
    text = text if isinstance(text, str) else text.decode()
    return response["status"]["code"], headers, _OF_THE_BYTES.sub("…", text)


def test_the_reference_server_still_says_what_was_recorded_from_it() -> None:
    told = list(list_recorded())
    models = {json.loads(each["request"]["body"] or "{}").get("model") for _, each in told}
    assert len(told) > 200
    assert len(models) > 10
    for name, each in told:
        assert describe(ask_again(each["request"])) == describe(each["response"]), (
            f"{name}: record it again with `python -m conformance record`"
        )
