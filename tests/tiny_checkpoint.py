"""A tiny, randomly initialised checkpoint, and somebody else's OpenAI-compatible server that serves it.

What it writes is noise: the point is that the wire, the errors and the token counts are not ours.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_S = 180
# The first five have meanings.
WORDS = (  # noqa: SIM905 - eighty words in quotes are no easier to read
    "<unk> <eos> user system assistant the a an film plot cast end score scene hero joke is was feels looks seems good "
    "bad great dull fine slow bright dark loud quiet warm cold very quite rather never always really and but so yet "
    "with without of in on for my our this that one two every no more less than before after again here there it they"
).split()


def write_checkpoint(folder: Path) -> Path:
    """Write a Llama of two layers that says random words, under 1 MB, in the format of any checkpoint on a hub.

    It samples, and one word in eight ends the text, so replies differ and are mostly whole and short.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}assistant"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = LlamaForCausalLM(config)
    ends = [1, *range(8, len(WORDS), 8)]
    model.generation_config = GenerationConfig(do_sample=True, eos_token_id=ends, pad_token_id=1, suppress_tokens=[0])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a checkpoint with `transformers serve` on a free port; yields the address to open as a model.

    Its log is kept in `server.log` beside the checkpoint's folder and printed when the block fails.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder.parent / "server.log"
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--log-level", "info"]
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(folder.parent / "hub")}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **quiet})
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}/v1#{folder}"
    except BaseException:
        print(f"--- {log}\n{log.read_text(errors='replace')[-6000:]}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended with exit code {process.returncode}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise AssertionError(f"the server did not start within {_START_S} s")
