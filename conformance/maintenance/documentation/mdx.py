"""The chat page in LangChain's form: MDX with front matter, code groups and tips.

Knows both forms; must not know what the page explains. Source of the form: `TEMPLATE.mdx` and
`fireworks.mdx` of langchain-ai/docs, read on 2026-11-29.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conformance.maintenance.documentation.blocks import Block, read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["find_unsafe", "write_mdx"]

_FRONT = """---
title: "ChatBaseten integration"
description: "Integrate with the ChatBaseten chat model using LangChain Python."
integration:
  name: ChatBaseten
  pypi: langchain-baseten
{flags}
---
"""
TITLES = {
    "import getpass\n": 'Set API key icon="key"',
    '# os.environ["LANGSMITH_API_KEY"]': 'Enable tracing icon="flask"',
    "from langchain_baseten import ChatBaseten\n": 'Initialize with model slug icon="robot"',
    "dedicated = ChatBaseten(": 'Initialize with model URL icon="link"',
    "messages = [\n": 'Dictionary format icon="book"',
    "from langchain_core.messages import": 'Message objects icon="message"',
    "print(response.text)\n": 'Text content icon="cursor-text"',
}
"""How an example of the template begins, and the title and icon that it has there."""

_SITE = "https://github.com/basetenlabs/langchain-baseten/blob/main/docs/"
_GUIDES = "https://docs.langchain.com/oss/python/"
_TITLE = re.compile(r"\A# .*\n+")
_REPOSITORY = re.compile(r"<!-- repository -->.*?<!-- /repository -->\n?", re.DOTALL)
"""What only concerns readers of this repository."""
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_ALERT = re.compile(r"^> \[!(TIP|NOTE|WARNING)\]\n((?:> ?.*\n)+)", re.MULTILINE)
_RELATIVE = re.compile(r"\]\((?!https?://|#|/)([^)]+)\)")
_CODE = re.compile(r"```.*?^```$|`[^`]*`", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"</?(?:CodeGroup|Tip|Note|Warning)>")


def write_mdx(page: str, flags: Mapping[str, bool]) -> str:
    """Return the page as MDX.

    Args:
        page: The page in Markdown.
        flags: What the front matter says of the integration.
    """
    front = "\n".join(f"  {name}: {str(value).lower()}" for name, value in flags.items())
    body = _group(_REPOSITORY.sub("", _TITLE.sub("", page)))
    prose = _COMMENT.sub("", body)
    prose = _ALERT.sub(_write_alert, prose)
    prose = prose.replace(f"]({_GUIDES}", "](/oss/")
    prose = _RELATIVE.sub(rf"]({_SITE}\1)", prose)
    prose = re.sub(r"\n{3,}", "\n\n", prose)
    for start, title in TITLES.items():
        prose = prose.replace(f"```python\n{start}", f"```python {title}\n{start}", 1)
    return f"{_FRONT.format(flags=front)}\n{prose}"


def _write_alert(found: re.Match[str]) -> str:
    tag = found[1].capitalize()
    text = re.sub(r"(?m)^> ?", "    ", found[2])
    return f"<{tag}>\n{text}</{tag}>\n"


def _group(page: str) -> str:
    """Put shell blocks that follow each other, such as those of pip and uv, into a code group."""
    blocks = read_blocks(page)
    for run in reversed([*_runs(page, blocks)]):
        tabs = "\n".join(f"```bash {b.text.split()[0]}\n{b.text}```" for b in run)
        page = f"{page[: run[0].start]}<CodeGroup>\n{tabs}\n</CodeGroup>{page[run[-1].end :]}"
    return page


def _runs(page: str, blocks: list[Block]) -> Iterator[list[Block]]:
    run: list[Block] = []
    for block in blocks:
        joins = run and not page[run[-1].end : block.start].strip()
        if block.language == "bash" and joins:
            run.append(block)
            continue
        if len(run) > 1:
            yield run
        run = [block] if block.language == "bash" else []
    if len(run) > 1:
        yield run


def find_unsafe(mdx: str) -> list[str]:
    """Return the lines of prose that MDX would read as JSX or as an expression."""
    _, _, body = mdx.removeprefix("---\n").partition("\n---\n")
    prose = _TAG.sub("", _CODE.sub("", body))
    return [line for line in prose.splitlines() if re.search(r"[{}<]", line)]
