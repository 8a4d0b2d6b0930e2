"""What a hostile server may say, and what an honest one may: for every medium that shows it.

Knows texts, and which characters no terminal may get; must not know any medium.
"""

from __future__ import annotations

import re
import unicodedata

WORDS = "quota exceeded"

NASTY: dict[str, str] = {
    "a colour": "\x1b[31mquota\x1b[0m exceeded",
    "a colour of another kind": "\x1b[38:2::255:0:0mquota\x1b[m exceeded",
    "a cleared screen": "quota \x1b[2J\x1b[1;1Hexceeded",
    "a colour in one byte": "\x9b31mquota\x9b0m exceeded",
    "a title": "\x1b]0;owned\x07quota exceeded",
    "a link": "\x1b]8;;https://evil.example\x1b\\quota\x1b]8;;\x1b\\ exceeded",
    "a link in one byte": "\x9d8;;https://evil.example\x9cquota\x9d8;;\x9c exceeded",
    "a clipboard": "quota \x1b]52;c;cm0gLXJm\x07exceeded",
    "a device's string": "\x1bP+q544e\x1b\\quota exceeded",
    "a reset": "\x1bcquota exceeded",
    "a character set": "\x1b(0quota\x1b(B exceeded",
    "a sequence in a sequence": "\x1b\x1b[31m[31mquota exceeded",
    "a sequence that does not end": "quota exceeded \x1b]0;x",
    "a bell": "quota\x07 exceeded\x07",
    "backspaces": "quota\b\b\b\b\b exceeded",
    "a return": "safe\rquota exceeded",
    "a forged line": "quota exceeded\r\nERROR root logged in",
    "a form feed": "quota\x0cexceeded",
    "a vertical tab": "quota\x0bexceeded",
    "NUL": "quo\0ta exceeded\0",
    "delete": "quota\x7f exceeded",
    "a next line": "quota\x85exceeded",
    "other controls": "".join(map(chr, range(1, 9))) + "quota exceeded\x0e\x0f\x80\x84\x9f",
    "separators": "quota\u2028exceeded\u2029",
    "an override": "\u202equota exceeded\u202c",
    "embeddings": "\u202aquota\u202b exceeded\u202c\u202d",
    "isolates": "\u2066quota\u2067 exceeded\u2068\u2069",
    "marks of direction": "\u200equota\u200f exceeded\u061c",
    "no width": "quo\u200bta ex\u2060ceed\ufeffed",
    "joiners among letters": "q\u200duota ex\u200cceeded\u200d",
    "soft hyphens": "quo\u00adta ex\u00adceeded",
    "tags": "quota exceeded\U000e0001\U000e0069\U000e0067",
    "selectors in a row": "quota exceeded ✔\ufe0f\ufe0e\U000e0100\U000e0101",
    "half a character": "quota exceeded \ud83d",
    "the other half": "\udc00quota exceeded",
}
"""Each holds `WORDS`, once it is plain."""

KEPT = (
    "quota exceeded: 5 of 3, see <https://x.y/?a=b&c=d> [1] {2} 50 %",
    "Kontingent überschritten — «größer» als 3 €",
    "超出配额，请稍后再试。割り当てを超えました。할당량 초과",  # noqa: RUF001  Chinese has its own comma
    "تجاوزت الحصة المسموح بها، می\u200cخواهم",  # noqa: RUF001  so it is written
    "המכסה נוצלה במלואה",
    "कोटा समाप्त हो गया क्\u200dष",
    "โควต้าเกิน ขออภัย",
    "e\u0301te\u0301, Việt Nam, Ελληνικά, Русский",
    "🎉 👍🏽 👩\u200d💻 👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 🇫🇷",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
)
"""What is shown unchanged."""

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><b>bold</b>",
    "![x](https://evil.example/p.png)",
    "[x](javascript:alert(1))",
    "[x][y] [^1]",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "see https://evil.example/x and www.evil.example",
    "a | b | c",
    "`code` ``x`` ```",
    "```\ncode\n```",
    "# heading",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "1) item",
    "> quote",
    "---",
    "===",
    "***bold*** __b__ ~~s~~",
    "<!-- /matrix -->",
    "<!-- matrix --> | <!-- /matrix -->",
    "&lt;b&gt; &#60; &amp;",
    "\\[x\\](y) \\\\",
    "one\n\n# heading\n\n| a |\n| - |\n",
    "    indented",
    "$x$ $$y$$",
    "[bold]x[/bold] [link=https://evil.example]y[/link] [/] [@click=x]z[/]",
    ":smile: [red]",
    "{{ 7*7 }} {% raw %}",
    "]]> <![CDATA[",
)
"""What is markup in Markdown, HTML, XML or rich's own, and is text where somebody else wrote it."""

_EMOJI_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
_JOINED = re.compile("(?<=[^\0-\u02ff\\s])[\u200c\u200d](?=[^\0-\u02ff\\s])")


def find_nasty(text: str) -> list[str]:
    """Return the characters of a text that no terminal may get; a line feed and a tab are none."""
    text = _JOINED.sub("", _EMOJI_TAGS.sub("", text))
    return [
        f"U+{ord(letter):04X}"
        for letter in text
        if letter not in "\n\t" and unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    ]
