from __future__ import annotations

import pickle
import time

from conformance.checks.nasty_texts import KEPT, NASTY, WORDS, find_nasty
from conformance.tests.package.in_each import in_each
from langchain_baseten import BasetenAPIError
from langchain_baseten._plain_text import make_plain, shorten


@in_each("name", NASTY.keys())
def test_what_a_terminal_would_obey_is_taken_out(name: str) -> None:
    assert find_nasty(NASTY[name]) or name == "selectors in a row"
    assert find_nasty(make_plain(NASTY[name])) == []
    assert WORDS in shorten(NASTY[name])


@in_each("text", KEPT)
def test_every_script_and_emoji_stay(text: str) -> None:
    assert make_plain(text) == shorten(text) == text


def test_parameters_of_a_sequence_go_with_it() -> None:
    plain = [shorten(NASTY[name]) for name in NASTY if name.startswith(("a colour", "a link"))]
    assert plain == [WORDS] * len(plain)
    assert make_plain("\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\") == "here"


def test_lines_and_tabs_stay_and_other_breaks_are_spaces() -> None:
    assert make_plain("a\n\tb\rc\u2028d\x85e") == "a\n\tb c d e"
    assert shorten("a\n\tb\r\nc\u2028d\x85e") == "a b c d e"


def test_half_a_character_is_shown_as_a_broken_one() -> None:
    assert make_plain("a\ud83d") == "a\ufffd"


def test_a_row_of_selectors_or_joiners_is_one() -> None:
    assert make_plain("✔\ufe0f\ufe0f\ufe0f") == "✔\ufe0f"
    assert make_plain("👩\u200d\u200d\u200c💻") == "👩\u200d💻"


@in_each("name", NASTY.keys())
def test_the_message_of_an_error_is_plain_however_it_is_built(name: str) -> None:
    error = BasetenAPIError(NASTY[name], body=NASTY[name])
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    for each in (error, copy):
        assert find_nasty(str(each) + repr(each)) == []
        assert each.body == NASTY[name]


CHUNKS = ("\x1b", "\x9b", "\x9d", "\x1b]", "\x1b[0", "\u200d", "\ufe0f", "\U0001f3f4")


@in_each("chunk", CHUNKS)
def test_no_text_takes_long(chunk: str) -> None:
    began = time.process_time()
    make_plain(chunk * (200_000 // len(chunk)))
    assert time.process_time() - began < 3
