"""The reports of a run: as a table, a page, JSON, JUnit, Markdown, a badge, a difference."""
