"""Write a drift report for a terminal, as Markdown and as JSON, all from the same facts.

Knows the facts of a report and how each notation writes a text; must not know how anything was
found. Every text is scanned for secrets: names of fields are whatever a service returns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.media import to_json, to_markdown, to_markdown_code, to_terminal
from conformance.recording.scanner import withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from conformance.maintenance.drift.report import Drift

__all__ = ["print_drift", "write_json", "write_markdown"]

_MARKS = {"failure": "✗", "warning": "!", "information": "·"}
_PLURALS = {"failure": "failures", "warning": "warnings", "information": "for information"}


class _Notation(NamedTuple):
    text: Callable[[str], str]
    code: Callable[[str], str]
    names: Callable[[Sequence[str]], str]


def print_drift(report: Drift, console: Console, keys: Sequence[str] = ()) -> None:
    """Print what is different, worst first.

    Args:
        report: The report.
        console: The terminal.
        keys: Keys in use.
    """
    found, summary = _render(_clean(report.as_facts(), keys), _Notation(str, str, _shorten))
    for line in (*found, *summary):
        console.print(to_terminal(line), soft_wrap=True)


def write_markdown(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as Markdown.

    Args:
        report: The report.
        keys: Keys in use.
    """
    facts = _clean(report.as_facts(), keys)
    found, summary = _render(facts, _Notation(to_markdown, to_markdown_code, _fold))
    head = [f"# Drift, {to_markdown(facts['when'])}", *summary]
    text = "\n\n".join([*head, "\n".join(f"- {line}" for line in found)]).rstrip() + "\n"
    # What is harmless in parts may not be so together.
    return withhold(text, keys)


def write_json(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as JSON.

    Args:
        report: The report.
        keys: Keys in use.
    """
    text = to_json(_clean(report.as_facts(), keys), indent=1) + "\n"
    shown = withhold(text, keys)
    return text if shown == text else json.dumps({"withheld": shown})


def _clean(facts: Any, keys: Sequence[str]) -> Any:
    """Return facts in which no text looks like a secret."""
    if isinstance(facts, dict):
        return {_clean(name, keys): _clean(value, keys) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_clean(value, keys) for value in facts]
    return withhold(str(facts), keys) if isinstance(facts, str) else facts


def _render(facts: Mapping[str, Any], notation: _Notation) -> tuple[list[str], list[str]]:
    """Return a line for each finding, gap and note, and the lines that sum them up."""
    text, code, names = notation
    lines = [
        f"{_MARKS[found['severity']]} {found['severity']}, {text(found['lane'])}: "
        f"{code(found['where'])}: {text(found['what'])}"
        + (f"; in {names(found['cassettes'])}" if found["cassettes"] else "")
        for found in facts["findings"]
    ]
    reasons: dict[str, list[str]] = {}
    for each in facts["not_compared"]:
        reasons.setdefault(each["reason"], []).append(each["cassette"])
    lines += [f"· not compared: {names(every)}: {text(why)}" for why, every in reasons.items()]
    lines += [f"! {text(note)}" for note in facts["notes"]]
    return lines, [text(_name_sources(facts)), text(_sum_up(facts))]


def _shorten(names: Sequence[str]) -> str:
    first = names[0].removesuffix(".yaml")
    return first if len(names) == 1 else f"{len(names)} recordings: {first}, …"


def _fold(names: Sequence[str]) -> str:
    """Return all names, folded where they are many."""
    quoted = [to_markdown_code(name) for name in names]
    summary = f"<summary>{len(quoted)} recordings</summary>"
    return quoted[0] if len(quoted) == 1 else f"<details>{summary}{'<br>'.join(quoted)}</details>"


def _name_sources(facts: Mapping[str, Any]) -> str:
    if not facts["compared"]:
        return "compared with nothing"
    sources, recorded = facts["compared_with"]["sources"], facts["compared_with"]["recorded"]
    labels = ", ".join(f"{number} {label}" for label, number in sources.items())
    days = " to ".join(dict.fromkeys(recorded))
    return f"compared with {labels}{f', recorded {days}' if days else ''}"


def _sum_up(facts: Mapping[str, Any]) -> str:
    singular = {**_PLURALS, "failure": "failure", "warning": "warning"}
    counts = ", ".join(
        f"{number} {(singular if number == 1 else _PLURALS)[severity]}"
        for severity, number in facts["counts"].items()
    )
    noun = "recording" if facts["planned"] == 1 else "recordings"
    return (
        f"{facts['head']}: {facts['compared']} of {facts['planned']} {noun} compared, "
        f"asked again of {facts['where']}; {counts}"
    )
