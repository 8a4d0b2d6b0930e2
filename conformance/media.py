"""Text of others, as each medium may hold it: text, and neither markup nor a command.

Knows terminals, JSON, XML, HTML and Markdown; must not know who wrote what. A service, a client or
an engine may say anything, and reports are read in places that obey (CWE-150) or run (CWE-79) it.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "check_writable",
    "open_console",
    "to_html",
    "to_json",
    "to_markdown",
    "to_plain",
    "to_terminal",
    "to_xml",
]

_SEQUENCE = re.compile(
    r"""(?x)
    (?: \x1b\[ | \x9b ) [0-?]*+ [\ -/]*+ [@-~]        # CSI: colours, movements, deletions
    | (?: \x1b[]PX^_] | [\x90\x98\x9d-\x9f] )         # OSC, DCS and others: titles, links
      [^\x07\x1b\x90\x98\x9c-\x9f]*+ (?: \x07 | \x1b\\ | \x9c )
    | \x1b [\ -/]*+ [0-~]                             # character sets, resets
    """
)
_BREAK = "[\r\v\f\x1c-\x1f\x85\u2028\u2029]"
_HALF = "[\ud800-\udfff]"
_HIDDEN = (
    "[\0-\b\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
    # Tags, but in the flag of a region; joiners, but between letters and emoji that they join.
    "|(?P<flag>\U0001f3f4[\U000e0020-\U000e007e]{2,7}\U000e007f)|[\U000e0000-\U000e007f]"
    "|(?<![^\0-\u02ff\\s])[\u200c\u200d]|[\u200c\u200d](?![^\0-\u02ff\\s])"
    "|(?<=[\u200c\u200d])[\u200c\u200d]"
    "|(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_UNSEEN = re.compile(f"(?P<line>{_BREAK})|(?P<half>{_HALF})|{_HIDDEN}")
_INSTEAD = {"line": " ", "half": "\ufffd", None: ""}

# XML 1.0 has no way to write these.
_NO_CHARACTER = re.compile("[\ufffe\uffff]")
# What is markup in Markdown as GitHub reads it, addresses that it makes links of included.
_MARKUP = re.compile(r"[\\`*_{}\[\]()<>&#|~$!]|:(?=//)|(?<=www)\.")
# What begins a list or underlines a heading, where it begins a line.
_BEGINS = re.compile(r"^(\d{1,9}(?=\.)|(?=[-+=]))")


def to_plain(text: str) -> str:
    r"""Return a text without what a terminal would obey, or would show as something else.

    Args:
        text: Any text. `\n` and `\t` stay, every script and emoji as well.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_replace, _SEQUENCE.sub("", text))


def _replace(found: re.Match[str]) -> str:
    return found["flag"] or _INSTEAD[found.lastgroup]


def open_console(width: int = 140, *, stderr: bool = False) -> Console:
    """Return the terminal; a string that is printed there is text, and no style.

    Args:
        width: Columns where it is no terminal.
        stderr: Whether it is the one for complaints, which are never folded to a terminal's width.
    """
    columns = None if sys.stdout.isatty() and not stderr else width
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=columns)


def check_writable(path: Path) -> None:
    """See that a report can be written before the run that it is about, and leave all as it was.

    Raises:
        OSError: It cannot.
    """
    there = path.exists()
    with path.open("a", encoding="utf-8"):
        pass
    if not there:
        path.unlink()


def to_terminal(text: object, style: str = "") -> Text:
    """Return what rich prints as it stands: brackets are no styles in it.

    Args:
        text: Any text, or what has one.
        style: The style of all of it.
    """
    return Text(to_plain(str(text)), style=style)


def to_json(document: Any, indent: int = 2) -> str:
    """Return a document as JSON that can be shown in a terminal.

    Args:
        document: What JSON can hold. No text in it is altered; what nobody sees is escaped.
        indent: Blanks for each level.
    """
    return _UNSEEN.sub(_escape, json.dumps(document, ensure_ascii=False, indent=indent))


def _escape(found: re.Match[str]) -> str:
    return found["flag"] or json.dumps(found[0])[1:-1]


def to_xml(text: str) -> str:
    """Return a text that XML 1.0 can hold; who writes the XML escapes what is markup.

    Args:
        text: Any text.
    """
    return _NO_CHARACTER.sub("\ufffd", to_plain(text))


def to_html(value: Any) -> Any:
    """Return a value for a template that escapes what is markup; what is HTML stays as it is.

    Args:
        value: What a template writes.
    """
    return to_xml(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def to_markdown(text: str) -> str:
    """Return a text in one line of Markdown, of which nothing is markup, a link or HTML.

    Args:
        text: Any text.
    """
    line = " ".join(to_plain(text).split())
    return _BEGINS.sub(r"\1\\", _MARKUP.sub(r"\\\g<0>", line))
