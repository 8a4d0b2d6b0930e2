"""The issue templates ask for what a report needs, and for no key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.name != "config.yml")

TYPES = {"checkboxes", "dropdown", "input", "markdown", "textarea"}
"""Elements of GitHub's issue forms."""


def read_fields(path: Path) -> dict[str, Any]:
    form = yaml.safe_load(path.read_text("utf-8"))
    assert form["name"]
    assert form["description"]
    assert {element["type"] for element in form["body"]} <= TYPES
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    return {field["id"]: field for field in fields}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_each_form_asks_for_a_cassette_and_against_keys(path: Path) -> None:
    fields = read_fields(path)
    assert "docs/recording.md" in fields["cassette"]["attributes"]["description"]
    [promise] = fields["keys"]["attributes"]["options"]
    assert promise["required"]
    assert "API key" in promise["label"]


def test_a_bug_report_has_code_traceback_and_versions() -> None:
    fields = read_fields(FOLDER / "bug.yml")
    required = {
        name for name, field in fields.items() if field.get("validations", {}).get("required")
    }
    assert {"code", "traceback", "versions"} <= required
    assert "without your key" in fields["code"]["attributes"]["description"]
