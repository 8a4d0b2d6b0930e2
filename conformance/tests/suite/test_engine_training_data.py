from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.checks.features import questions
from conformance.maintenance.engines.training_data import (
    Lesson,
    gather_lessons,
    make_lesson,
    write_lessons,
)

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "%s"}}\n</tool_call>'


def ask(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "omni", "messages": [{"role": "user", "content": content}], **more}


def learn(content: Any, *, thinks: bool = False, **more: Any) -> Lesson:
    lesson = make_lesson(ask(content, **more), thinks=thinks)
    assert lesson is not None
    return lesson


def store(root: Path, name: str, *bodies: dict[str, Any], status: int = 200) -> None:
    path = root / "dedicated" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"request": {"body": json.dumps(body)}, "response": {"status": {"code": status}}}
        for body in bodies
    ]
    path.write_text(yaml.safe_dump({"interactions": rows}), encoding="utf-8")


def test_text_is_answered_as_the_reference_server_answers() -> None:
    lesson = learn("Hi")
    assert (lesson.thought, lesson.answer) == ("", 'You said "Hi".')


def test_a_thought_repeats_nothing_of_the_prompt() -> None:
    lesson = learn(questions.TALE, thinks=True)
    assert lesson.thought
    assert "harbour" not in lesson.thought
    assert lesson.answer.startswith("You said")


@pytest.mark.parametrize(
    "choice", [None, "auto", "required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_calls_are_written_in_one_form_however_they_are_forced(choice: Any) -> None:
    lesson = learn(questions.ONE_CITY, tools=[WEATHER], tool_choice=choice)
    assert (lesson.answer, lesson.tools) == (CALL % "Paris", [WEATHER])


def test_two_calls_are_two_and_forbidden_tools_are_not_shown() -> None:
    two = learn(questions.TWO_CITIES, tools=[WEATHER])
    assert two.answer == f"{CALL % 'Paris'}\n{CALL % 'Rome'}"
    none = learn("Weather?", tools=[WEATHER], tool_choice="none")
    assert none.tools == []
    assert "<tool_call>" not in none.answer


def test_a_schema_is_filled() -> None:
    form = {"name": "P", "schema": WEATHER["function"]["parameters"] | {"required": ["city"]}}
    requested = {"type": "json_schema", "json_schema": form}
    assert json.loads(learn("Go to Paris.", response_format=requested).answer) == {"city": "Paris"}


def test_ids_that_are_new_in_each_recording_make_no_new_lesson() -> None:
    def recall(call_id: str) -> dict[str, Any]:
        function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
        call = {"id": call_id, "type": "function", "function": function}
        reported = {"role": "tool", "content": "Sunny.", "tool_call_id": call_id}
        requested = ask(questions.ONE_CITY, tools=[WEATHER])
        requested["messages"] += [{"role": "assistant", "tool_calls": [call]}, reported]
        return requested

    first, second = (make_lesson(recall(name), thinks=False) for name in ("call_1", "call_2"))
    assert first == second is not None


def test_what_the_responder_refuses_teaches_nothing() -> None:
    assert make_lesson(ask("Hi") | {"messages": []}, thinks=False) is None


def test_lessons_are_the_different_requests_of_the_lane(tmp_path: Path) -> None:
    store(tmp_path, "one", ask("Hi", stream=True), ask("Hi"), ask("Ho"))
    store(tmp_path, "refused", ask("No"), status=400)
    store(tmp_path, "seen", ask([{"type": "image_url", "image_url": {"url": "https://x"}}]))
    prompts = [lesson.messages[0]["content"] for lesson in gather_lessons(tmp_path)]
    assert prompts == ["Hi", "Ho"]


def test_what_the_thinker_is_asked_is_thought_about_by_whoever_is_asked(tmp_path: Path) -> None:
    plain = WEATHER["function"] | {"description": "Otherwise."}
    other = {"type": "function", "function": plain}
    store(tmp_path, "a", ask("Hi", tools=[other]), ask("Ho"))
    store(tmp_path, "b", ask("Hi", tools=[WEATHER]) | {"model": "tiny"})
    store(tmp_path, "test_x_model_override", ask("Ho") | {"model": "tiny"})
    thoughts = {x.messages[0]["content"]: bool(x.thought) for x in gather_lessons(tmp_path)}
    assert thoughts == {"Hi": True, "Ho": False}


def test_lessons_are_written_as_the_trainer_reads_them(tmp_path: Path) -> None:
    lesson = learn("「北京」")
    write_lessons([lesson], tmp_path / "lessons.json")
    [row] = json.loads((tmp_path / "lessons.json").read_text(encoding="utf-8"))
    assert row["messages"] == lesson.messages
    assert set(row) == {"messages", "tools", "thought", "answer"}


def test_the_suites_own_prompts_are_among_the_lessons() -> None:
    reported = json.dumps([lesson.messages for lesson in gather_lessons()], ensure_ascii=False)
    for name in ("GREETING", "TALE", "ONE_CITY", "TWO_CITIES"):
        assert getattr(questions, name) in reported
    assert "Tell me a joke about cats." in reported
