"""Where the weights of the pocket models lie, and their arrays, without torch."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from seedbed.errors import ConfigError

NAMES: Final = ("weak", "strong", "base")


def folder(name: str) -> Path:
    """The folder of a pocket model, in the layout of Hugging Face: `config.json` and `model.safetensors`.

    Args:
        name: One of the shipped models (`weak`, `strong`, `base`) or the path of a folder in the same layout.

    Returns:
        The folder.

    Raises:
        ConfigError: There is no such model.
    """
    shipped = Path(str(files("seedbed.pocket"))) / "weights"
    found = shipped / name if name in NAMES else Path(name)
    if not (found / "config.json").is_file() or not (found / "model.safetensors").is_file():
        raise ConfigError(
            f"no pocket model is called {name!r}",
            f"no config.json with model.safetensors in {found}",
            f"one of {', '.join(NAMES)}, or a folder with both files",
        )
    return found


def settings(name: str) -> dict[str, Any]:
    """The architecture of a pocket model, as Hugging Face's `LlamaConfig` writes it."""
    found: dict[str, Any] = json.loads((folder(name) / "config.json").read_text(encoding="utf-8"))
    return found


def arrays(name: str) -> dict[str, NDArray[np.float32]]:
    """The weights by their Hugging Face names, in float32: half precision is for the disk."""
    stored = load_file(folder(name) / "model.safetensors")
    return {key: np.asarray(value, dtype=np.float32) for key, value in stored.items()}


def parameters(name: str) -> int:
    """How many parameters a pocket model has, the tied embedding counted once."""
    return sum(value.size for value in load_file(folder(name) / "model.safetensors").values())
