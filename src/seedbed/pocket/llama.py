"""A small Llama in numpy: weights from a Hugging Face checkpoint, and one forward pass that keeps no state.

How a row looks back at earlier tokens is handed in (`Attend`), so that reading prompts, writing a batch and checking a
single text share every other line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import ConfigError, boundary

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Attend: TypeAlias = Callable[[int, Floats, Floats, Floats, Floats], None]
"""Layer, queries (n, kv_heads, share, head), keys and values (n, kv_heads, head) of the same tokens, and where the
mixed values go, shaped like the queries. Queries are rotated and scaled, keys rotated."""

Flags: TypeAlias = NDArray[np.bool_]
MASKED = np.float32(-1e30)
"""A score that no softmax sees; adding to it or taking from it leaves it as it is in float32."""

_FIXED: dict[str, tuple[Any, ...]] = {
    "model_type": ("llama",),
    "hidden_act": ("silu",),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "rope_scaling": (None,),
}
"""What this forward pass takes for granted of a config.json."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a checkpoint, as its config.json names them."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    epsilon: float
    theta: float
    context: int
    ends: tuple[int, ...]
    """Tokens that end an answer."""

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """From config.json.

        Raises:
            ConfigError: There is none, or it is of a model that this forward pass does not compute.
        """
        path = folder / "config.json"
        if not path.is_file():
            raise ConfigError("there is no checkpoint", f"{path} does not exist", "name a folder with a Llama in it")
        with boundary(f"reading {path}", "write it again with save_pretrained"):
            return cls._of(json.loads(path.read_text("utf-8")), path)

    @classmethod
    def _of(cls, config: Mapping[str, Any], path: Path) -> Shape:
        rope = config.get("rope_parameters") or {}
        odd = {key: config[key] for key, known in _FIXED.items() if key in config and config[key] not in known}
        if rope.get("rope_type", "default") != "default":
            odd["rope_type"] = rope["rope_type"]
        if odd:
            raise ConfigError(
                "this Llama is of another make than pocket runs", f"{odd} in {path}", "give it as hf:FOLDER"
            )
        heads, width, end = config["num_attention_heads"], config["hidden_size"], config.get("eos_token_id")
        return cls(
            vocabulary=config["vocab_size"],
            width=width,
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head=config.get("head_dim") or width // heads,
            inner=config["intermediate_size"],
            epsilon=config["rms_norm_eps"],
            theta=float(config.get("rope_theta") or rope.get("rope_theta") or 10000.0),
            context=config["max_position_embeddings"],
            ends=() if end is None else (end,) if isinstance(end, int) else tuple(end),
        )


@dataclass(frozen=True, slots=True)
class _Layer:
    """Matrices (in, out) with the norms before them folded in."""

    ask: Floats
    """Queries, keys and values in one."""
    mix: Floats
    widen: Floats
    """Gate and up in one, both negated: see `Net._feed_forward`."""
    narrow: Floats


class Room:
    """Arrays that a forward pass of up to `rows` tokens writes into, so that none is allocated per token.

    Args:
        net: The model that they are sized for.
        rows: Most tokens that go through together.
    """

    def __init__(self, net: Net, rows: int) -> None:
        shape = net.shape
        asked = (shape.heads + 2 * shape.kv_heads) * shape.head

        def empty(width: int) -> Floats:
            return np.empty((rows, width), np.float32)

        self.stream, self.normed, self.added = empty(shape.width), empty(shape.width), empty(shape.width)
        self.asked, self.mixed = empty(asked), empty(shape.heads * shape.head)
        self.wide, self.gate = empty(2 * shape.inner), empty(shape.inner)
        self.logits = empty(shape.vocabulary)


class Net:
    """A Llama's forward pass on one CPU thread.

    Norm weights, the softmax scale and the sign of the gate are folded into the matrices, and the two halves that RoPE
    rotates together stand side by side, so that a rotation is one complex product. None of it changes what comes out
    beyond float32's last digits.

    Args:
        shape: Sizes.
        tensors: Hugging Face's names to arrays, float16 or float32.

    Source:
        Touvron et al. 2023, LLaMA, arXiv:2302.13971; Su et al. 2021, RoFormer, arXiv:2104.09864 (rotary positions);
        Ainslie et al. 2023, GQA, arXiv:2305.13245 (shared key heads). Differs: float32 throughout, no training.
    """

    def __init__(self, shape: Shape, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.shape = shape

        def get(name: str, *sizes: int) -> Floats:
            if tensors[name].shape != sizes:
                seen = f"{name} is {tensors[name].shape}, config.json says {sizes}"
                raise ConfigError("the weights do not fit their config.json", seen, "write both with save_pretrained")
            return tensors[name].astype(np.float32)

        missing = {"model.embed_tokens.weight", "model.norm.weight"} - tensors.keys()
        if missing:
            raise ConfigError(
                "the weights are no Llama's", f"missing: {sorted(missing)}", "see config.json's model_type"
            )
        self.embedding = get("model.embed_tokens.weight", shape.vocabulary, shape.width)
        is_tied = "lm_head.weight" not in tensors
        output = self.embedding if is_tied else get("lm_head.weight", shape.vocabulary, shape.width)
        self._output = _folded([output], get("model.norm.weight", shape.width))
        self._layers = [_layer(shape, get, f"model.layers.{number}.") for number in range(shape.layers)]
        self.parameters = sum(tensor.size for tensor in tensors.values()) - (0 if is_tied else self.embedding.size)
        """Weights that one token is multiplied with: all but the table that input tokens are looked up in, unless the
        output layer shares it."""
        rate = shape.theta ** (-np.arange(0, shape.head, 2) / shape.head)
        angles = np.arange(shape.context)[:, None] * rate
        self._turns: NDArray[np.complex64] = np.exp(1j * angles).astype(np.complex64)[:, None]

    @classmethod
    def load(cls, folder: str | Path) -> Net:
        """The model in a folder with config.json and model.safetensors.

        Raises:
            ConfigError: There is none, or it is not a Llama that this forward pass computes.
        """
        from safetensors.numpy import load_file

        folder = Path(folder)
        shape, weights = Shape.read(folder), folder / "model.safetensors"
        with boundary(f"loading {weights}", "a float16 or float32 checkpoint written by save_pretrained"):
            return cls(shape, load_file(weights))

    def logits(self, tokens: Sequence[int]) -> Floats:
        """(tokens, vocabulary) what the model expects after each token of one text."""
        reading = Reading(self, [list(tokens)])
        room = Room(self, len(tokens))
        hidden = self.forward(np.asarray(tokens), np.arange(len(tokens)), reading.attend, room)
        return self.expect(hidden, room).copy()

    def flops(self, start: int, stop: int) -> float:
        """Floating-point operations for the tokens at positions start to stop - 1: 2 per parameter and token, and
        what attention does with the positions before.

        Source:
            Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv:2001.08361, table 1 (forward pass).
            Differs: attention counts 4 per head width and earlier position, queries with keys and weights with values.
        """
        looked_at = (stop * (stop + 1) - start * (start + 1)) // 2
        attention = 4 * self.shape.layers * self.shape.heads * self.shape.head * looked_at
        return float(2 * self.parameters * (stop - start) + attention)

    def forward(self, tokens: Ints, positions: Ints, attend: Attend, room: Room) -> Floats:
        """(n, width) the hidden state of each token before the output layer; it lies in `room` and is overwritten.

        Args:
            tokens: (n,) tokens of any number of rows, one after the other.
            positions: (n,) the place of each in its own row, from 0.
            attend: How a token looks back at its row.
            room: At least n rows.
        """
        count, shape = len(tokens), self.shape
        stream = room.stream[:count]
        np.take(self.embedding, tokens, axis=0, out=stream, mode="clip")
        turns, rotated = self._turns[positions], (shape.heads + shape.kv_heads) * shape.head
        asked, mixed, added = room.asked[:count], room.mixed[:count], room.added[:count]
        pairs = asked[:, :rotated].view(np.complex64).reshape(count, -1, shape.head // 2)
        share = shape.heads // shape.kv_heads
        query = asked[:, : shape.heads * shape.head].reshape(count, shape.kv_heads, share, shape.head)
        key = asked[:, shape.heads * shape.head : rotated].reshape(count, shape.kv_heads, shape.head)
        value = asked[:, rotated:].reshape(count, shape.kv_heads, shape.head)
        out = mixed.reshape(query.shape)
        for number, layer in enumerate(self._layers):
            np.matmul(self._norm(stream, room), layer.ask, out=asked)
            np.multiply(pairs, turns, out=pairs)
            attend(number, query, key, value, out)
            np.matmul(mixed, layer.mix, out=added)
            stream += added
            self._feed_forward(layer, stream, room)
        return stream

    def expect(self, hidden: Floats, room: Room) -> Floats:
        """(n, vocabulary) logits of the token that follows each hidden state; they lie in `room`."""
        return np.matmul(self._norm(hidden, room), self._output, out=room.logits[: len(hidden)])

    def _norm(self, stream: Floats, room: Room) -> Floats:
        squares = np.einsum("nw,nw->n", stream, stream)
        squares /= self.shape.width
        squares += self.shape.epsilon
        np.sqrt(squares, out=squares)
        normed = room.normed[: len(stream)]
        np.divide(stream, squares[:, None], out=normed)
        return normed

    def _feed_forward(self, layer: _Layer, stream: Floats, room: Room) -> None:
        """SwiGLU. With -gate and -up at hand, silu(gate) * up is -gate / (1 + exp(-gate)) * -up: no negation."""
        count, inner = len(stream), self.shape.inner
        wide, gate, added = room.wide[:count], room.gate[:count], room.added[:count]
        np.matmul(self._norm(stream, room), layer.widen, out=wide)
        with np.errstate(over="ignore"):  # exp of a large number is infinite, and the quotient 0, as it should be
            np.exp(wide[:, :inner], out=gate)
        gate += 1.0
        np.divide(wide[:, :inner], gate, out=gate)
        gate *= wide[:, inner:]
        np.matmul(gate, layer.narrow, out=added)
        stream += added


class Reading:
    """Keys and values of whole prompts, one behind the other without padding.

    Args:
        net: The model that reads.
        prompts: At least one token each.
    """

    def __init__(self, net: Net, prompts: Sequence[Sequence[int]]) -> None:
        shape = net.shape
        self.lengths = [len(prompt) for prompt in prompts]
        self.tokens = np.fromiter((token for prompt in prompts for token in prompt), np.int64, sum(self.lengths))
        self.positions = np.concatenate([np.arange(length) for length in self.lengths])
        self.keys: Floats = np.empty((shape.layers, shape.kv_heads, len(self.tokens), shape.head), np.float32)
        self.values = np.empty_like(self.keys)
        longest = max(self.lengths)
        self._later: Floats = np.triu(np.full((longest, longest), MASKED), 1)

    def attend(self, layer: int, query: Floats, key: Floats, value: Floats, out: Floats) -> None:
        """See `Attend`: each token looks at itself and at those before it in its prompt."""
        keys, values, start = self.keys[layer], self.values[layer], 0
        keys[:], values[:] = key.swapaxes(0, 1), value.swapaxes(0, 1)
        for length in self.lengths:
            mine = slice(start, start + length)
            scores = np.matmul(query[mine].transpose(1, 2, 0, 3), keys[:, None, mine].swapaxes(2, 3))
            scores += self._later[:length, :length]
            scores -= scores.max(-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(-1, keepdims=True)
            np.matmul(scores, values[:, None, mine], out=out[mine].transpose(1, 2, 0, 3))
            start += length


def _layer(shape: Shape, get: Callable[..., Floats], prefix: str) -> _Layer:
    width, queries, keys = shape.width, shape.heads * shape.head, shape.kv_heads * shape.head
    attention, feed = prefix + "self_attn.", prefix + "mlp."
    query = _paired(get(f"{attention}q_proj.weight", queries, width), shape) / math.sqrt(shape.head)
    key = _paired(get(f"{attention}k_proj.weight", keys, width), shape)
    value = get(f"{attention}v_proj.weight", keys, width)
    gate, up = get(f"{feed}gate_proj.weight", shape.inner, width), get(f"{feed}up_proj.weight", shape.inner, width)
    return _Layer(
        _folded([query, key, value], get(f"{prefix}input_layernorm.weight", width)),
        np.ascontiguousarray(get(f"{attention}o_proj.weight", width, queries).T),
        _folded([-gate, -up], get(f"{prefix}post_attention_layernorm.weight", width)),
        np.ascontiguousarray(get(f"{feed}down_proj.weight", width, shape.inner).T),
    )


def _folded(matrices: Sequence[Floats], norm: Floats) -> Floats:
    """(in, out) the matrices side by side, their inputs scaled as the norm before them would."""
    return np.ascontiguousarray((np.concatenate(matrices) * norm).T, dtype=np.float32)


def _paired(matrix: Floats, shape: Shape) -> Floats:
    """The outputs j and j + head / 2, which RoPE turns together, one beside the other."""
    halves = matrix.reshape(-1, 2, shape.head // 2, shape.width)
    return halves.swapaxes(1, 2).reshape(matrix.shape)
