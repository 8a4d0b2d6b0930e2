"""Text that a terminal shows and does not obey (CWE-150).

Knows control characters, escape sequences and invisible characters; must not know whose text it
is. What a server or a model says may be in any script, and hold emoji: both stay as they are.
"""

from __future__ import annotations

import re

__all__ = ["SHOWN", "make_plain", "shorten"]

SHOWN = 500
"""Maximum number of characters of a server's text in a message."""
_LOOKED_AT = 100_000
"""Maximum number of characters of which those are taken: all others may be invisible."""

_SEQUENCE = r"""(?x)
    (?: \x1b\[ | \x9b ) [0-?]*+ [\ -/]*+ [@-~]        # CSI: colours, movements, deletions
    | (?: \x1b[]PX^_] | [\x90\x98\x9d-\x9f] )         # OSC, DCS and others: titles, links
      [^\x07\x1b\x90\x98\x9c-\x9f]*+ (?: \x07 | \x1b\\ | \x9c )
    | \x1b [\ -/]*+ [0-~]                             # character sets, resets
    """
"""Removed with their parameters, which would be left as letters."""

_BREAK = "[\r\v\f\x1c-\x1f\x85\u2028\u2029]"
"""Line breaks of other kinds than a line feed."""

_HIDDEN = (
    # Controls of C0 and C1; the soft hyphen; marks and overrides of the direction (bidi); what has
    # no width; notes and formats; tags, but in flags of regions, which are made of them.
    "[\0-\b\x0e-\x1b\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
    "|(\U0001f3f4[\U000e0020-\U000e007e]{2,7}\U000e007f)|[\U000e0000-\U000e007f]"
)

_ABOVE = "[^\0-\u02ff\\s]"
_LOOSE = (
    # Joiners belong between letters of scripts that join them, and between emoji.
    f"(?<!{_ABOVE})[\u200c\u200d]+|[\u200c\u200d]+(?!{_ABOVE})|(?<=[\u200c\u200d])[\u200c\u200d]+"
    # One selector chooses a glyph; a row of them is hidden text.
    "|(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]+"
)

_HALF = "[\ud800-\udfff]"
"""Half a character: it cannot be written as UTF-8."""


def make_plain(text: str) -> str:
    r"""Return a text without what a terminal would obey, or would show as something else.

    Args:
        text: What somebody else said.

    Returns:
        The text; escape sequences, control and invisible characters are removed, line breaks other
        than `\n` are spaces, and half a character is U+FFFD. `\n` and `\t` stay.
    """
    if text.isascii() and text.isprintable():
        return text
    text = re.sub(_BREAK, " ", re.sub(_SEQUENCE, "", text))
    text = re.sub(_HIDDEN, lambda found: found[1] or "", text)
    return re.sub(_HALF, "\ufffd", re.sub(_LOOSE, "", text))


def shorten(text: str, limit: int = SHOWN) -> str:
    """Return a text on one line, shortened, without what a terminal would obey.

    Args:
        text: Any text.
        limit: Maximum number of characters.
    """
    line = " ".join(make_plain(text[: _LOOKED_AT + limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
