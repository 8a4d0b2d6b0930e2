"""What a run found, told: as a table, a page, JSON, JUnit, Markdown, a badge, a difference."""
