"""Text to token numbers and back without loss: known words, single digits, and characters for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

_PIECE: Final = re.compile(r"[A-Za-z]+|[0-9]|\s|.", re.DOTALL)
_SPECIAL: Final = ("<pad>", "<q>", "<a>", "<end>", "<join>", "<space>", "\n")
_CLOSING: Final = frozenset(".,?!:;')")


@cache
def known_words() -> tuple[str, ...]:
    """The words that have a token of their own, in the order of their tokens."""
    return tuple(files("seedbed.pocket").joinpath("words.txt").read_text(encoding="utf-8").split())


class Tokenizer:
    """Tokens of the pocket models; text of any kind comes back from them exactly as it was.

    A token usually stands for a word with the space before it, so that plain sentences cost one token per word. Where
    the spacing is unusual, `<space>` or `<join>` says so. An unknown word costs a token per letter, a character beyond
    ASCII two per byte: the models read such text, but were never taught it.
    """

    def __init__(self) -> None:
        ascii_characters = tuple(f"char {chr(code)}" for code in range(33, 127))
        nibbles = tuple(f"half {digit:x}" for digit in range(16))
        self._names: tuple[str, ...] = (*_SPECIAL, *ascii_characters, *nibbles, *(f"word {w}" for w in known_words()))
        self._ids = {name: number for number, name in enumerate(self._names)}
        self._half = self._ids["half 0"]
        self._cached: dict[str, list[int]] = {}

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._names)

    @property
    def pad(self) -> int:
        """Fills a batch; nothing is ever made to predict it."""
        return 0

    @property
    def eos(self) -> int:
        """Ends a solution."""
        return self._ids["<end>"]

    def prompt(self, problem: str) -> list[int]:
        """Tokens that a pocket model continues with a solution: the problem between the marks for Q and A."""
        return [self._ids["<q>"], *self.encode(problem), self._ids["<a>"]]

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without marks around it; the text is not stripped or changed in any way."""
        found: list[int] = []
        before: str | None = None
        spaces = 0
        for piece in _PIECE.findall(text):
            if piece == " ":
                spaces += 1
                continue
            usual = _space_between(before, piece)
            found.extend([self._ids["<join>"]] if usual > spaces else [self._ids["<space>"]] * (spaces - usual))
            found.extend(self._piece(piece))
            before, spaces = piece, 0
        return [*found, *[self._ids["<space>"]] * spaces]

    def _piece(self, piece: str) -> list[int]:
        if piece not in self._cached:
            if f"word {piece}" in self._ids:
                ids = [self._ids[f"word {piece}"]]
            elif piece == "\n":
                ids = [self._ids["\n"]]
            elif piece.isascii() and piece.isprintable():
                ids = [self._ids[f"char {letter}"] for letter in piece]
            else:
                ids = [
                    self._half + half for byte in piece.encode("utf-8", "surrogatepass") for half in divmod(byte, 16)
                ]
            if len(self._cached) > 10_000:  # a stranger's text must not fill the memory
                self._cached.clear()
            self._cached[piece] = ids
        return self._cached[piece]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of tokens; the marks for Q, A, the end and padding stand for no text.

        Args:
            ids: Token numbers in 0..size - 1, in any order: a model may write anything.

        Returns:
            The text; bytes that are no UTF-8 become the replacement character.

        Raises:
            IndexError: A number is no token.
        """
        names = [self._names[number] for number in ids]
        pieces = _pieces([name for name in names if name not in ("<pad>", "<q>", "<a>", "<end>")])
        text: list[str] = []
        before: str | None = None
        joined, spaces = False, 0
        for kind, piece in pieces:
            if kind == "mark":
                joined, spaces = joined or piece == "<join>", spaces + (piece == "<space>")
                continue
            usual = _space_between(before, piece)
            text.append(" " * (spaces + (0 if joined else usual)) + piece)
            before, joined, spaces = piece, False, 0
        return "".join(text) + " " * spaces


def _space_between(before: str | None, piece: str) -> int:
    """One where a space usually stands before a piece, else nought. Encoder and decoder both ask nothing but this."""
    if before is None or before == "\n" or piece == "\n" or piece in _CLOSING or before == "(":
        return 0
    if piece.isdigit() and len(piece) == 1 and piece.isascii():
        return 0 if before[-1].isascii() and before[-1].isdigit() else 1
    # Two words spelled in letters would run into one, so between them a space is always said.
    return 0 if _is_spelled(before) and _is_spelled(piece) else 1


def _is_spelled(piece: str) -> bool:
    return piece.isascii() and piece.isalpha() and piece not in _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(known_words())


def _pieces(names: Sequence[str]) -> list[tuple[str, str]]:
    """Tokens put together again: letters in a row to one word, halves of bytes to characters."""
    found: list[tuple[str, str]] = []
    halves: list[int] = []
    for name in [*names, "<stop>"]:
        if name.startswith("half "):
            halves.append(int(name[5:], 16))
            continue
        if halves:
            content = bytes(high * 16 + low for high, low in zip(halves[::2], halves[1::2], strict=False))
            found.extend(("char", letter) for letter in content.decode("utf-8", "replace"))
            halves = []
        if name.startswith("word "):
            found.append(("word", name[5:]))
        elif name.startswith("char "):
            letter = name[5:]
            if letter.isalpha() and found and found[-1][0] == "spelled":
                found[-1] = ("spelled", found[-1][1] + letter)
            else:
                found.append(("spelled" if letter.isalpha() else "char", letter))
        elif name != "<stop>":
            found.append(("char", name) if name == "\n" else ("mark", name))
    return found
