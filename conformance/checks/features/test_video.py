"""Video input, of which there is none: who refuses it, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, ToolMessage

from conformance.checks.features.call_modes import every_way
from conformance.checks.features.other_makers import at_model
from conformance.checks.features.readings import judge_refusal, tapped
from conformance.checks.features.responders import mount, note_bodies
from conformance.subjects.expected_errors import catching, expect
from conformance.subjects.subject import chosen
from conformance.verdicts.evidence import Evidence

pytestmark = pytest.mark.usefixtures("lane")

TEXT = {"type": "text", "text": "What happens in this video?"}
URL = "https://example.com/harbour.mp4"
BLOCKS = {
    "url": {"type": "video", "url": URL},
    "data": {"type": "video", "base64": "AAAAIGZ0eXA=", "mime_type": "video/mp4"},
    "file": {"type": "video", "file_id": "file-0"},
}
PART = {"type": "video_url", "video_url": {"url": URL}}


@pytest.mark.claim("video.block.refused")
@every_way
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_standard_video_block_is_refused_before_anything_is_sent(
    block: dict[str, Any], evidence: Evidence, ask: Callable[..., Any]
) -> None:
    sent: list[dict[str, Any]] = []
    model = mount("dedicated", evidence, note_bodies(sent))
    assert ask(model, [HumanMessage([TEXT])]).text
    assert len(sent) == 1
    with catching("unsendable") as errors:
        ask(model, [HumanMessage([TEXT, block])])
    later = sent[1:]
    if "'type': 'video_url'" in str(later) and not chosen().ours:
        evidence.not_applicable("the client writes a video as the wire has it, as users may")
    # In the same words whatever the block held, since it is the same fault.
    kinds = sorted({*re.findall(r"'type': '(\w+)'", str(later))})
    assert not later, f"a standard video block was given, and parts of types {kinds} were sent"
    assert errors, "a standard video block was given; nothing was sent, and nothing raised"
    if chosen().ours:
        assert re.search("no video input.*video_url", str(errors[0]))
        with expect("unsendable", match="no video input"):
            ask(model, [HumanMessage([TEXT]), ToolMessage([TEXT, block], tool_call_id="a")])
        assert len(sent) == 1


@pytest.mark.claim("video.part.refused")
def test_a_video_part_is_forwarded_to_a_text_model_which_refuses_it(
    model: BaseChatModel, evidence: Evidence
) -> None:
    with tapped(model) as (tapped_model, traffic):
        named, options = at_model(tapped_model, "zai-org/GLM-5.2")
        assert named.invoke([HumanMessage([TEXT])], **options).text
        with catching("invalid-request") as errors:
            named.invoke([HumanMessage([TEXT, PART])], **options)
    if errors and len(traffic.sent) == 1 and not chosen().ours:
        evidence.not_applicable("the client itself refuses a video, before anything is sent")
    received = [body["messages"] for body in traffic.sent[1:]]
    wanted = [{"role": "user", "content": [TEXT, PART]}]
    assert received == [wanted], f"a text and a video were given; the messages sent are {received}"
    judge_refusal(errors, "does not support multimodal")
    assert "does not support multimodal" in traffic.answers[-1]
