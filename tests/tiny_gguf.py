"""A tiny, random GGUF checkpoint, and llama.cpp's own server, from the wheel `xllamacpp`, that serves it.

A second server nobody here wrote. It starts in a blink and honours `seed`, JSON schemas, grammars, logprobs and `n` (up
to its slots; it reports the tokens of the first text only). It also speaks `/v1/messages` and `/v1/responses`; the
latter ignores a schema and calls a cut answer "completed". A model name it does not know is answered all the same.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

NAME = "tiny"
CONTEXT = 2048
"""Tokens, of prompt and answer, that one request may have."""
_WIDTH, _HEADS, _INNER = 32, 2, 64
_TEMPLATE = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }}\n{% endfor %}assistant"
_SPREAD = 0.2
_RMS = float(np.sqrt((2 + (_WIDTH - 2) * _SPREAD**2) / _WIDTH))
"""About what the last norm divides by, so that a logit's bias is near what it says."""


def write_gguf(path: Path) -> Path:
    """Write a Llama of one layer that says random words, 0.1 MB.

    Any text and any grammar can be spelled, because each byte is a token, but left alone it says words: one word in
    ten or so ends the text, and a quotation mark comes now and then, so that strings in JSON end. No text is empty.
    """
    import gguf

    from tests.tiny_checkpoint import WORDS

    pieces = [*_byte_letters(), *("Ġ" + word for word in WORDS[5:]), "<eos>"]
    end = len(pieces) - 1
    kinds = [gguf.TokenType.NORMAL] * end + [gguf.TokenType.CONTROL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")  # this one takes whole words before it looks at merges
    writer.add_token_list(pieces)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])  # the loader wants one; "ab" is no piece, so it never applies
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)
    for name, values in _weights(len(pieces)).items():
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_letters() -> list[str]:
    """The letter by which a byte-level vocabulary writes each byte: itself where it prints, else one from U+0100 on."""
    prints = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in prints else next(others)) for byte in range(256)]


def _weights(vocabulary: int) -> dict[str, np.ndarray]:
    """Noise, but for two columns of the stream that no layer writes: a constant, and "the last token was a byte"."""
    rng = np.random.default_rng(0)

    def noise(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, _SPREAD, (rows, columns))

    end = vocabulary - 1
    embedding, out = noise(vocabulary, _WIDTH), noise(vocabulary, _WIDTH)
    bias = np.zeros(vocabulary)
    bias[:256] = -30  # half a character is not UTF-8, and nobody wants a control character
    bias[32:127] = -6  # only where a grammar leaves no word
    bias[ord('"')], bias[end] = 1.2, 2.8
    embedding[:, 0], out[:, 0] = 1, bias * _RMS
    embedding[:, 1], out[:, 1] = np.arange(vocabulary) < 256, 0
    out[end, 1] = -30
    found = {"token_embd": embedding, "output": out, "output_norm": np.ones(_WIDTH)}
    for part in ("attn_norm", "ffn_norm"):
        found[f"blk.0.{part}"] = np.ones(_WIDTH)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        found[f"blk.0.{part}"] = noise(_WIDTH, _WIDTH)
    found["blk.0.ffn_gate"], found["blk.0.ffn_up"] = noise(_INNER, _WIDTH), noise(_INNER, _WIDTH)
    found["blk.0.ffn_down"] = noise(_WIDTH, _INNER)
    for part in ("attn_output", "ffn_down"):  # softly, so that the stream keeps the length `_RMS` counts on
        found[f"blk.0.{part}"] *= 0.2
        found[f"blk.0.{part}"][:2] = 0
    return found


@contextmanager
def serving(path: Path, *, slots: int = 4, api_key: str = "") -> Iterator[str]:
    """Serve a GGUF file with llama.cpp's server on a free port; yields the address to open as a model.

    Its log is kept in `server.log` beside the file and printed when the block fails.

    Args:
        path: The checkpoint.
        slots: Requests it answers at a time, and the most it takes as `n`; others wait.
        api_key: What it asks of every request as a bearer; empty asks for nothing.
    """
    log = path.with_name("server.log")
    command = [sys.executable, "-m", "tests.tiny_gguf", str(path.resolve()), str(slots), api_key]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            assert url, f"the server ended with exit code {process.wait(20)}"
            yield f"{url}/v1#{NAME}"
        except BaseException:
            print(f"--- {log}\n{log.read_text(errors='replace')[-6000:]}")
            raise
        finally:
            process.kill()  # it holds nothing worth a farewell


def _serve(path: str, slots: int, api_key: str) -> None:
    """Serve until standard input closes, which it also does when the one who started us dies."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = path
    settings.model_alias = {NAME}
    settings.n_parallel = slots
    settings.n_ctx = slots * CONTEXT
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.api_keys = [api_key] if api_key else []
    server = xllamacpp.Server(settings)  # on port 0, so the system picks one
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
