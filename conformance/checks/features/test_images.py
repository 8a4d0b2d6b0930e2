"""Image input: what leaves the client, who takes it, and who refuses it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from conformance.checks.assets import make_png
from conformance.checks.features.other_makers import at_model, refer, refer_if_blind, referring
from conformance.checks.features.questions import get_weather
from conformance.checks.features.readings import judge_refusal, judge_taking, tapped
from conformance.checks.features.responders import mount, note_bodies
from conformance.reference import make_request, respond
from conformance.subjects.expected_errors import catching
from conformance.subjects.subject import chosen
from conformance.targets import LANES
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.usefixtures("lane")

TEXT = "What is in this image?"
URL = "https://upload.wikimedia.org/wikipedia/commons/4/47/PNG_transparency_demonstration_1.png"
DATA = b64encode(make_png()).decode("ascii")
BLOCK = {"type": "image", "base64": DATA, "mime_type": "image/png"}
FORMS = {
    "standard": BLOCK,
    "older-standard": {
        "type": "image",
        "source_type": "base64",
        "data": DATA,
        "mime_type": "image/png",
    },
    "wire": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    "anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": DATA},
    },
}
URL_FORMS = {
    "standard": {"type": "image", "url": URL},
    "older-standard": {"type": "image", "source_type": "url", "url": URL},
    "wire": {"type": "image_url", "image_url": {"url": URL}},
    "plain": {"type": "image_url", "image_url": URL},
}

_FOREIGN_FORM = "blocks that are neither LangChain's nor the API's are for each maker to know"
_OWN_FORM = "LangChain's own block of an image"
_FREE_FORMS = (FORMS["anthropic"], URL_FORMS["plain"])

_PLAIN = ("standard", "wire")
_FURTHER = ("older-standard", "anthropic")


def by_form(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [FORMS[name] for name in names], ids=names)


def skip_another_form(body: dict[str, Any], evidence: Evidence, block: Any) -> None:
    """End the check if another maker's client knows nothing of such a form of an image."""
    parts = body["messages"][-1]["content"]
    kinds = [part["type"] for part in parts] if isinstance(parts, list) else []
    if not chosen().ours and block in _FREE_FORMS and "image_url" not in kinds:
        evidence.not_applicable(_FOREIGN_FORM)


@contextmanager
def unless_unknown(evidence: Evidence, block: Any, *, reported: bool = True) -> Iterator[None]:
    """End the check if another maker's client refuses such a form of an image.

    That one of LangChain's own raises in a user's message, `image.block.forms` tells.
    """
    try:
        yield
    except Exception as error:
        if not chosen().ours and block in _FREE_FORMS:
            evidence.not_applicable(f"{_FOREIGN_FORM}: {type(error).__name__}")
        if block["type"] == "image" and reported:
            refer("image.block.forms", f"{_OWN_FORM} raises {error!r}")
        raise


def ask_about(block: dict[str, Any]) -> list[HumanMessage]:
    return [HumanMessage([{"type": "text", "text": TEXT}, block])]


def find_url(body: dict[str, Any]) -> str:
    """Return the URL of the one image in the last message of a request."""
    parts = body["messages"][-1]["content"]
    sent = type(parts).__name__
    refer_if_blind()
    assert isinstance(parts, list), f"one image was given; the content is sent as {sent}"
    images = [part for part in parts if part["type"] == "image_url"]
    kinds = [part["type"] for part in parts]
    if "image" in kinds and body["messages"][-1]["role"] == "user":
        refer("image.block.forms", f"{_OWN_FORM} is sent as it is")
    assert len(images) == 1, f"one image was given; the parts that are sent are {kinds}"
    url = images[0]["image_url"]
    # Engines take the URL alone as well; ours always writes the form that is documented.
    return url if isinstance(url, str) and not chosen().ours else str(url["url"])


def read_data(url: str) -> bytes:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return b64decode(data)


@pytest.mark.claim("image.dedicated.data", "image.model-apis.vision-model")
@by_form(*_PLAIN)
def test_an_image_given_as_data_arrives_unchanged(
    model: BaseChatModel, block: dict[str, Any], evidence: Evidence
) -> None:
    judge_data(model, block, evidence)


@pytest.mark.claim("image.block.forms")
@by_form(*_FURTHER)
def test_an_image_in_another_spelling_arrives_unchanged(
    model: BaseChatModel, block: dict[str, Any], evidence: Evidence
) -> None:
    judge_data(model, block, evidence)


def judge_data(model: BaseChatModel, block: dict[str, Any], evidence: Evidence) -> None:
    with tapped(model) as (tapped_model, traffic), unless_unknown(evidence, block):
        answer = tapped_model.invoke(ask_about(block))
    skip_another_form(traffic.sent[-1], evidence, block)
    assert read_data(find_url(traffic.sent[-1])) == make_png()
    assert answer.text


@pytest.mark.claim("image.dedicated.data", "image.model-apis.vision-model")
@pytest.mark.own_client_only("what a service takes is not for its client to say")
def test_an_image_changes_what_is_counted_or_said(model: BaseChatModel) -> None:
    judge_taking(model, *ask_about(BLOCK))


@pytest.mark.claim("image.dedicated.url", "image.model-apis.vision-model")
@pytest.mark.parametrize("block", URL_FORMS.values(), ids=URL_FORMS)
def test_an_image_given_by_url_arrives_unchanged(
    model: BaseChatModel, block: dict[str, Any], evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic), unless_unknown(evidence, block):
        answer = tapped_model.invoke(ask_about(block))
    skip_another_form(traffic.sent[-1], evidence, block)
    assert find_url(traffic.sent[-1]) == URL
    assert answer.text


@pytest.mark.claim("image.model-apis.vision-model")
def test_every_model_that_lists_images_gets_them(lane: str, evidence: Evidence) -> None:
    sent: list[dict[str, Any]] = []
    model = mount(lane, evidence, note_bodies(sent))
    listing = respond(make_request("https://inference.baseten.co/v1/models", method="GET"))
    listed = json.loads(listing.body)["data"]
    vision_models = [each["id"] for each in listed if "image" in each["input_modalities"]]
    assert (
        {LANES[lane].vision_model, "zai-org/GLM-5.3-Flash"}
        < set(vision_models)
        < {e["id"] for e in listed}
    )
    for slug in vision_models:
        named, options = at_model(model, slug)
        with referring("image.block.forms", _OWN_FORM):
            assert named.invoke(ask_about(BLOCK), **options).text
    assert [(body["model"], read_data(find_url(body))) for body in sent] == [
        (slug, make_png()) for slug in vision_models
    ]


@pytest.mark.claim("image.model-apis.text-model")
@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        pytest.param("zai-org/GLM-5.2", "does not support multimodal", id="flat-refusal"),
        pytest.param("deepseek-ai/DeepSeek-V3.1", "image_url is not supported", id="wrapped"),
    ],
)
def test_a_text_model_refuses_an_image_with_a_typed_error(
    model: BaseChatModel, slug: str, sentence: str
) -> None:
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, slug)
        assert named.invoke(TEXT, **options).text
        with catching("invalid-request") as errors:
            named.invoke(ask_about(BLOCK), **options)
    if len(traffic.sent) == 1:
        refer("image.block.forms", f"{_OWN_FORM} is not sent")
    assert read_data(find_url(traffic.sent[-1])) == make_png()
    judge_refusal(errors, sentence)
    assert sentence in traffic.answers[-1]
    assert traffic.sent[1]["model"] == slug


@pytest.mark.claim("image.tool.message")
@by_form(*FORMS)
def test_an_image_inside_a_tool_message_arrives_unchanged(
    model: BaseChatModel, block: dict[str, Any], evidence: Evidence
) -> None:
    call = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_0"}
    messages = [
        HumanMessage("Photograph the sky above Paris, then describe what you see."),
        AIMessage("", tool_calls=[call]),
        ToolMessage([block], tool_call_id="call_0"),
    ]
    with tapped(model) as (tapped_model, traffic), unless_unknown(evidence, block, reported=False):
        if not chosen().ours and block["type"] == "image":
            # What a user's message shows as well, its own claim tells.
            with unless_unknown(evidence, block):
                tapped_model.invoke(ask_about(block))
            skip_another_form(traffic.sent[-1], evidence, block)
            find_url(traffic.sent.pop())
        answer = tapped_model.bind_tools([get_weather]).invoke(messages)
    if chosen().ours:  # Others may show it in a message of its own, since OpenAI's tools have none.
        assert traffic.sent[0]["messages"][-1]["role"] == "tool"
    skip_another_form(traffic.sent[-1], evidence, block)
    assert read_data(find_url(traffic.sent[-1])) == make_png()
    assert answer.text
