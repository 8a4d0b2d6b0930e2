"""Write a drift report for a terminal, as JSON and as Markdown, all from the same facts.

Knows the facts of a report and three notations; must not know how anything was found. Every text is
scanned for secrets: names of fields are whatever a service returns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table as Grid

from conformance.media import to_json, to_markdown, to_markdown_code, to_terminal
from conformance.recording.scanner import withhold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from conformance.maintenance.drift.report import Drift

__all__ = ["print_drift", "write_json", "write_markdown"]

_MARKS = {"failure": "✗", "warning": "!", "information": "·"}
_PLURALS = {"failure": "failures", "warning": "warnings", "information": "for information"}


def print_drift(report: Drift, console: Console, keys: Sequence[str] = ()) -> None:
    """Print what is different, worst first.

    Args:
        report: The report.
        console: The terminal.
        keys: Keys in use.
    """
    facts = _clean(report.as_facts(), keys)
    grid = Grid("")
    grid.add_column("where", overflow="fold", ratio=2)
    grid.add_column("what, and where it was seen", overflow="fold", ratio=3)
    for found in facts["findings"]:
        mark = f"{_MARKS[found['severity']]} {found['severity']}\n  {found['lane']}"
        names = [name.partition("/")[2] or name for name in found["cassettes"]]
        seen = f"\nin {_shorten(names)}" if names else ""
        grid.add_row(*map(to_terminal, (mark, found["where"], f"{found['what']}{seen}")))
    if grid.rows:
        console.print(grid)
    lines = [
        f"· not compared: {_shorten(names)}: {reason}"
        for reason, names in _group(facts["not_compared"])
    ]
    lines += [f"! {note}" for note in facts["notes"]]
    for line in (*lines, _name_sources(facts), _sum_up(facts)):
        console.print(to_terminal(line), soft_wrap=True)


def write_json(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as JSON.

    Args:
        report: The report.
        keys: Keys in use.
    """
    text = to_json(_clean(report.as_facts(), keys), indent=1) + "\n"
    # What is harmless in parts may not be so together.
    shown = withhold(text, keys)
    return text if shown == text else json.dumps({"withheld": shown})


def write_markdown(report: Drift, keys: Sequence[str] = ()) -> str:
    """Return a report as Markdown.

    Args:
        report: The report.
        keys: Keys in use.
    """
    facts = _clean(report.as_facts(), keys)
    lines = [f"# Drift, {to_markdown(facts['when'])}"]
    lines += [to_markdown(_sum_up(facts)), to_markdown(_name_sources(facts))]
    lines += [f"> {to_markdown(note)}" for note in facts["notes"]]
    if facts["findings"]:
        head = "| | Lane | Where | What | Seen in |\n| :--- | :--- | :--- | :--- | :--- |\n"
        lines.append(head + "\n".join(map(_write_row, facts["findings"])))
    if facts["not_compared"]:
        reasons = _group(facts["not_compared"])
        lines.append("Not compared:")
        lines.append("\n".join(f"- {_fold(names)}: {to_markdown(why)}" for why, names in reasons))
    return withhold("\n\n".join(lines) + "\n", keys)


def _clean(facts: Any, keys: Sequence[str]) -> Any:
    """Return facts in which no text looks like a secret."""
    if isinstance(facts, dict):
        return {_clean(name, keys): _clean(value, keys) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_clean(value, keys) for value in facts]
    return withhold(str(facts), keys) if isinstance(facts, str) else facts


def _write_row(found: Mapping[str, Any]) -> str:
    where, what = to_markdown_code(found["where"]), to_markdown(found["what"])
    cells = (found["severity"], to_markdown(found["lane"]), where, what, _fold(found["cassettes"]))
    return f"| {' | '.join(cells)} |"


def _fold(names: Sequence[str]) -> str:
    """Return all names, folded where they are many."""
    quoted = [to_markdown_code(name) for name in names]
    if len(quoted) <= 1:
        return "".join(quoted)
    summary = f"<summary>{len(quoted)} recordings</summary>"
    return f"<details>{summary}{'<br>'.join(quoted)}</details>"


def _group(uncompared: Iterable[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """Return each reason with its recordings."""
    found: dict[str, list[str]] = {}
    for each in uncompared:
        found.setdefault(each["reason"], []).append(each["cassette"])
    return list(found.items())


def _shorten(names: Sequence[str]) -> str:
    first = names[0].removesuffix(".yaml")
    return first if len(names) == 1 else f"{len(names)} recordings: {first}, …"


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
