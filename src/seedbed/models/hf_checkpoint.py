"""A causal language model on disk or on a hub: what names it, and its weights, tokens and limits once it is loaded."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from seedbed.errors import BoundaryError, ConfigError, boundary
from seedbed.fingerprint import fingerprint
from seedbed.quiet import quiet
from seedbed.request import Message

_READ_WHOLE = {".json", ".jinja", ".txt", ".model"}
"""Configuration, chat template and tokenizer; everything else but the weights decides no answer."""
_SAMPLE = 1024
"""Bytes read from the middle of each tensor."""
_INPUTS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight", "tok_embeddings.weight")
_OUTPUTS = ("lm_head.weight", "embed_out.weight")
"""Names of the tables of tokens at either end, as the larger families spell them."""
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint is."""

    name: str
    """A folder, or a name on the hub."""
    revision: str | None
    is_folder: bool
    address: str
    """What its answers are kept under."""

    @property
    def label(self) -> str:
        """The name without the folders above it."""
        return Path(self.name).name if self.is_folder else self.name


def locate(address: str) -> Source:
    """Read `hf:ORG/NAME`, `hf:ORG/NAME@REVISION` or `hf:FOLDER`; a folder of that name comes first.

    A folder is named after its content: when its weights change, what the ledger owns of the old ones is not its
    answer. A name on the hub without a revision is taken at its word, as a hosted model's is. Nothing is downloaded.

    Raises:
        ConfigError: Nothing is named, or the folder holds no checkpoint in safetensors.
    """
    scheme, _, rest = address.partition(":")
    if scheme != "hf" or not rest:
        raise ConfigError("no model is named", address, "use hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:FOLDER")
    folder = Path(rest).expanduser()
    if folder.is_dir():
        return Source(str(folder), None, True, f"hf:{folder.resolve().name}@{content_name(folder)}")
    name, _, revision = rest.partition("@")
    if rest.startswith((".", "/", "~")) or name.count("/") > 1 or not name:
        raise ConfigError("there is no such checkpoint", rest, "name a folder that exists, or ORG/NAME on the hub")
    return Source(name, revision or None, False, address)


def content_name(folder: Path) -> str:
    """Name a checkpoint's content: 16 hexadecimal digits.

    Configuration and tokenizer are read whole. Of the weights, every tensor's name, type, shape and the 1 KiB in its
    middle: headers and sizes alone would give a model and its fine-tuned copy one name, and hashing 15 GB takes longer
    than asking. A change of less than that in a tensor goes unseen; training makes none so small.

    Raises:
        ConfigError: There is no config.json, or no safetensors.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not weights:
        held = sorted(path.name for path in folder.iterdir())[:12]
        fix = "a folder that `save_pretrained` wrote: config.json and safetensors; pickled weights are not read"
        raise ConfigError("the folder holds no checkpoint", f"{folder} holds {held}", fix)
    plain = sorted(path for path in folder.iterdir() if path.suffix in _READ_WHOLE and path.is_file())
    texts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in plain}
    with boundary(f"reading the weights in {folder}", "the files are cut or damaged: copy them again"):
        return fingerprint([texts, {path.name: _tensors(path) for path in weights}])


def _tensors(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        header = _header(file)
        data = file.tell()
        digest.update(json.dumps(header, sort_keys=True).encode())
        for _, tensor in sorted(header.items()):
            start, end = tensor["data_offsets"]
            file.seek(data + max(start, (start + end - _SAMPLE) // 2))
            digest.update(file.read(min(_SAMPLE, end - start)))
    return digest.hexdigest()


def _header(file: BinaryIO) -> dict[str, Any]:
    """Of a file in safetensors: name to dtype, shape and place of each tensor; the data follow."""
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def size_of(address: str) -> int | None:
    """Active parameters of the checkpoint in a folder, read from the headers of its files; None for a name on the hub.

    Known before anything is loaded, so that a cap in FLOPs holds from the first request on. Counts as
    `active_parameters` does.
    """
    folder = Path(address.partition(":")[2]).expanduser()
    if not (folder / "config.json").is_file():
        return None
    config = json.loads((folder / "config.json").read_text("utf-8"))
    sizes: dict[str, int] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            sizes |= {name: math.prod(tensor["shape"]) for name, tensor in _header(file).items()}
    share = _expert_share({**config, **config.get("text_config", {})}.get)
    total = sum(size * (share if ".experts." in name else 1.0) for name, size in sizes.items())
    has_output = any(name.endswith(_OUTPUTS) for name in sizes)
    return int(total) - (sum(size for name, size in sizes.items() if name.endswith(_INPUTS)) if has_output else 0)


class Checkpoint:
    """A loaded model and everything the sampler must know of it.

    Args:
        source: Where it is. A folder never asks the network; a name goes through transformers' cache and hub.
        device: Such as cuda:1; None is the first CUDA device, else the CPU.
        parameters_billion: Parameters that one token takes part in; None counts them.

    Raises:
        ConfigError: It keeps another memory than keys and values, so that rows cannot come and go.
        BoundaryError: It cannot be loaded.
    """

    def __init__(self, source: Source, device: str | None = None, parameters_billion: float | None = None) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.name = source.label
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        # What a GPU multiplies fast, and what a CPU multiplies exactly.
        dtype = torch.bfloat16 if where.type == "cuda" else torch.float32
        safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": source.is_folder}
        if source.revision:
            safe["revision"] = source.revision
        with boundary(f"loading {source.name}", "name a folder or hub name with safetensors"), quiet():
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source.name, **safe)
            model = AutoModelForCausalLM.from_pretrained(source.name, use_safetensors=True, dtype=dtype, **safe)
            self.model: Any = model.to(where).eval()
        need_keys_and_values(self.model.config, source.name)
        settings, config = self.model.generation_config, self.model.config.get_text_config()
        self.ends = frozenset(_ids(settings.eos_token_id) or _ids(config.eos_token_id)) | frozenset(
            _ids(self.tokenizer.eos_token_id)
        )
        self.suppressed = tuple(_ids(settings.suppress_tokens))
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self.flops_per_token = 2 * (parameters_billion * 1e9 if parameters_billion else active_parameters(self.model))
        self.has_template = bool(getattr(self.tokenizer, "chat_template", None))
        if not self.has_template:
            self.name += " (no chat template: messages joined)"
        self.encode = lru_cache(maxsize=256)(self._encode)
        self.piece = lru_cache(maxsize=65536)(self._piece)

    def _encode(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """The prompt's tokens. Without a chat template the contents are joined by empty lines."""
        if not self.has_template:
            return tuple(self.tokenizer("\n\n".join(text for _, text in messages) + "\n\n").input_ids)
        try:
            return self._templated(messages)
        except BoundaryError:
            # Some templates (Gemma's) know no system message; their makers put it before the first question.
            if len(messages) < 2 or messages[0][0] != "system":
                raise
            (_, system), (role, first), *rest = messages
            return self._templated(((role, f"{system}\n\n{first}"), *rest))

    def _templated(self, messages: Sequence[Message]) -> tuple[int, ...]:
        turns = [{"role": role, "content": text} for role, text in messages]
        with boundary("the chat template"):
            return tuple(self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))

    def option(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that an answer may consist of."""
        return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of an answer, special tokens left out."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _piece(self, token: int) -> str:
        return str(self.tokenizer.decode([token]))


def active_parameters(model: Any) -> int:
    """Parameters that are multiplied with one token.

    All but the table of input embeddings, which is looked up; where the output layer shares it, it counts once. Of a
    layer of experts only the share that a token is sent to.

    Args:
        model: A transformers model.
    """
    config, looked_up, output = (
        model.config.get_text_config(),
        model.get_input_embeddings(),
        model.get_output_embeddings(),
    )
    share = _expert_share(lambda name: getattr(config, name, None))
    total = sum(weight.numel() * (share if ".experts." in name else 1.0) for name, weight in model.named_parameters())
    is_tied = output is not None and output.weight is looked_up.weight
    return int(total) - (0 if is_tied else looked_up.weight.numel())


def _expert_share(setting: Callable[[str], Any]) -> float:
    """Of the experts of a layer, the part that one token is sent to."""
    experts, chosen = next(filter(None, map(setting, _EXPERTS)), None), setting("num_experts_per_tok")
    return chosen / experts if chosen and experts else 1.0


def need_keys_and_values(config: Any, name: str) -> None:
    """Rows come and go by cutting keys and values, so a state that runs through all tokens will not do."""
    from transformers import DynamicCache

    kinds = {type(layer).__name__ for layer in DynamicCache(config=config.get_text_config()).layers}
    if other := kinds - {"DynamicLayer", "DynamicSlidingWindowLayer"}:
        fix = "serve it (vllm serve, transformers serve) and give http://HOST:PORT/v1#NAME"
        raise ConfigError("this kind of model cannot run in-process", f"{name} keeps {sorted(other)}", fix)


def _ids(value: int | Sequence[int] | None) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)
