"""Opening a causal language model; how texts become its tokens, a pocket model's or a Hugging Face tokenizer's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from seedbed.errors import boundary
from seedbed.pocket import checkpoint as pocket
from seedbed.pocket.tokenizer import Tokenizer
from seedbed.quiet import quiet
from seedbed.students.checkpoint import need_torch


class Texts(Protocol):
    """Tokens of a checkpoint. Trained, asked and served, a model sees a problem as the same tokens."""

    ends: tuple[int, ...]
    """Tokens that end an answer; training teaches the first."""
    pad: int

    def prompt(self, message: str) -> list[int]:
        """The tokens that an answer follows."""
        ...

    def answer(self, text: str) -> list[int]:
        """The tokens that are learned, the end among them."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of an answer, its end left out."""
        ...

    def save(self, folder: Path) -> None:
        """Write what opening the folder needs."""
        ...


class PocketTexts:
    """A pocket model reads what stands after the last blank line of a message, as `pocket:` does when it is served."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer()
        self.ends: tuple[int, ...] = (self._tokenizer.eos,)
        self.pad = self._tokenizer.pad

    def prompt(self, message: str) -> list[int]:
        """See `Texts`."""
        return self._tokenizer.prompt(message.rpartition("\n\n")[2])

    def answer(self, text: str) -> list[int]:
        """See `Texts`."""
        return [*self._tokenizer.encode(text), self._tokenizer.eos]

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Texts`."""
        return self._tokenizer.decode(tokens)

    def save(self, folder: Path) -> None:
        """Nothing: the tokenizer is part of the program."""


class TemplateTexts:
    """A Hugging Face tokenizer: its chat template around one user message, or without one the message and a blank line.

    That is what `hf:FOLDER` shows a model for the same message, so a saved student answers alike as a teacher.

    Args:
        tokenizer: A fast tokenizer with an end token.
        ends: More tokens that end an answer, from the checkpoint's generation settings.
    """

    def __init__(self, tokenizer: Any, ends: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        own = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
        self.ends = tuple(dict.fromkeys([*own, *ends]))
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (*self.ends, 0)[0]

    def prompt(self, message: str) -> list[int]:
        """See `Texts`."""
        if not getattr(self._tokenizer, "chat_template", None):
            return list(self._tokenizer(message + "\n\n").input_ids)
        turns = [{"role": "user", "content": message}]
        with boundary("the chat template"):
            return list(self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))

    def answer(self, text: str) -> list[int]:
        """See `Texts`."""
        return [*self._tokenizer(text, add_special_tokens=False).input_ids, *self.ends[:1]]

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Texts`."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def save(self, folder: Path) -> None:
        """The tokenizer's files."""
        self._tokenizer.save_pretrained(folder)


def open_lm(checkpoint: str, folder: Path | None = None) -> tuple[Any, Texts]:
    """A causal language model in float32 and evaluation mode, and its tokens.

    Only safetensors are read and no code of the checkpoint runs. A folder never asks the network.

    Args:
        checkpoint: `pocket:NAME`, `pocket:FOLDER`, a folder or a hub name.
        folder: Where a trained copy of it was saved, to be opened in its place.

    Raises:
        ConfigError: The extra is missing, or there is no such pocket model.
        BoundaryError: The checkpoint cannot be read.
    """
    need_torch()
    where = "" if folder is None else str(folder)
    if checkpoint.startswith("pocket:"):
        return _open_model(str(pocket.folder(where or checkpoint.removeprefix("pocket:")))), PocketTexts()
    where = where or checkpoint.removeprefix("hf:")
    model = _open_model(where)
    with boundary(f"opening the tokenizer of {where}", "a checkpoint carries its tokenizer's files"), quiet():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False, local_files_only=Path(where).is_dir())
    found = model.generation_config.eos_token_id
    return model, TemplateTexts(tokenizer, [found] if isinstance(found, int) else found or [])


def _open_model(source: str) -> Any:
    import torch

    safe = {"trust_remote_code": False, "local_files_only": Path(source).is_dir(), "use_safetensors": True}
    with boundary(f"opening the checkpoint {source}", "name a folder or hub name with safetensors"), quiet():
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **safe).eval()


def save_lm(model: Any, texts: Texts, folder: Path) -> None:
    """Write a checkpoint that opens as `hf:FOLDER`, or as `pocket:FOLDER` where it began as a pocket model."""
    with quiet():
        texts.save(folder)
        model.save_pretrained(folder)
