"""Trains the pocket models from scratch on one CPU thread each: `python experiments/pocket/train.py all`."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).parent))

import corpus
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from seedbed.pocket.tokenizer import Tokenizer

WEIGHTS = Path("src/seedbed/pocket/weights")
RESULTS = Path("experiments/pocket/results")
SHIPPED = ("weak", "strong", "base")


@dataclass(frozen=True)
class Plan:
    """One training: the architecture, how long, and what it reads."""

    width: int
    layers: int
    inner: int
    heads: int
    steps: int
    batch_tokens: int = 4096
    rate: float = 3e-3
    muon_rate: float = 0.02
    drill_share: tuple[float, float] = (0.4, 0.05)
    begin: str | None = None
    crowd: bool = True
    names: int = 9
    stop: int | None = None
    threads: int = 1
    length: int = 176
    rng_seed: int = 0
    compiled: bool = True


_WEAK = Plan(96, 4, 144, 4, 1000)
_STRONG = Plan(160, 6, 240, 5, 1800, rate=2e-3)
PLANS = {
    "base": _WEAK,
    "weak1": replace(_WEAK, steps=1700, begin="base", drill_share=(0.2, 0.05), rng_seed=1),
    "weak": replace(_WEAK, steps=1500, begin="weak1", names=3, drill_share=(0.1, 0.02), rng_seed=2, length=144),
    "strong1": _STRONG,
    "strong2": replace(
        _STRONG, steps=2600, stop=1000, begin="strong1", names=3, drill_share=(0.1, 0.02), rng_seed=2, length=144
    ),
    "strong3": replace(
        _STRONG, steps=2000, begin="strong2", crowd=False, drill_share=(0.1, 0.02), rng_seed=3, length=144, threads=2
    ),
    "strong": replace(
        _STRONG,
        steps=2400,
        begin="strong3",
        crowd=False,
        drill_share=(0.0, 0.0),
        rate=1e-3,
        muon_rate=0.012,
        rng_seed=4,
        length=144,
        threads=2,
    ),
}
CHAINS = (["strong1", "strong2", "strong3", "strong"], ["base", "weak1", "weak"])


def model_of(plan: Plan) -> LlamaForCausalLM:
    """A fresh Llama of the planned size."""
    tokenizer = Tokenizer()
    torch.manual_seed(plan.rng_seed)
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=plan.width,
        intermediate_size=plan.inner,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos,
        pad_token_id=tokenizer.pad,
        initializer_range=0.04,
    )
    model = LlamaForCausalLM(config)
    if plan.begin:
        model.load_state_dict(load_file(_folder(plan.begin) / "model.safetensors"), strict=False)
    return model


def _folder(name: str) -> Path:
    return (WEIGHTS if name in SHIPPED else corpus.CACHE) / name


def optimizers(model: LlamaForCausalLM, plan: Plan) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices inside the layers and AdamW for the rest."""
    inside = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim < 2 or "embed" in name]
    if plan.muon_rate:
        return [
            torch.optim.Muon(inside, lr=plan.muon_rate, weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        ]
    groups = [{"params": inside, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return [torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), fused=True)]


def fit(name: str, plan: Plan) -> dict[str, Any]:
    """Train one model, save its weights and say what it took."""
    torch.set_num_threads(plan.threads)
    model = model_of(plan)
    found = optimizers(model, plan)
    peaks = [[group["lr"] for group in one.param_groups] for one in found]

    def loss_of(tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1), reduction="none"
        )
        marks = weights[:, 1:].reshape(-1)
        return (losses * marks).sum() / marks.sum()

    compiled = torch.compile(loss_of, dynamic=False) if plan.compiled else loss_of
    started, cpu, seen, running = time.time(), time.process_time(), 0, 0.0
    data = corpus.batches(
        corpus.rows(plan.crowd),
        steps=plan.steps,
        batch_tokens=plan.batch_tokens,
        drill_share=plan.drill_share,
        warm=plan.begin is not None,
        names=plan.names,
        length=plan.length,
        rng_seed=plan.rng_seed,
    )
    for step, (tokens, weights) in enumerate(data):
        scale = min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
        for one, rates in zip(found, peaks, strict=True):
            for group, peak in zip(one.param_groups, rates, strict=True):
                group["lr"] = peak * scale
        loss = compiled(torch.from_numpy(tokens), torch.from_numpy(weights))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in found:
            one.step()
            one.zero_grad()
        seen += tokens.size
        running = 0.98 * running + 0.02 * loss.item()
        if step % 100 == 99 or step in (0, 1, 2, 3, 4, 5, 10, 20, 50):
            print(f"{name} step {step + 1} loss {running:.4f} tokens {seen} {time.time() - started:.0f} s", flush=True)
        if step + 1 == plan.stop:
            break
        if step % 500 == 499:
            save(model, corpus.CACHE / f"{name}-unfinished")
    save(model, _folder(name))
    return {
        "plan": asdict(plan),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": seen,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.time() - started, 1),
        "last_loss": round(running, 4),
    }


def save(model: LlamaForCausalLM, folder: Path) -> None:
    """Weights in half precision and the configuration, in the layout of Hugging Face."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: p.detach().to(torch.float16).contiguous() for name, p in model.named_parameters()}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    written = model.config.to_dict()
    written.update(architectures=["LlamaForCausalLM"], dtype="float16")
    for key in ("_name_or_path", "torch_dtype"):
        written.pop(key, None)
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _chain(names: list[str]) -> None:
    for name in names:
        subprocess.run([sys.executable, __file__, name], check=True)


def main() -> None:
    """Train what is named; `all` trains the two chains of models side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help=f"{', '.join(PLANS)}, all, corpus, or trial:PLAN for a model that is not shipped")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the plan, as rate=0.002")
    chosen = parser.parse_args()
    if chosen.name == "corpus":
        print([len(corpus.rows(crowd).total) for crowd in (True, False)], "rows")
        return
    if chosen.name == "all":
        for crowd in (True, False):
            corpus.rows(crowd)
        with ThreadPoolExecutor(len(CHAINS)) as pool:
            list(pool.map(_chain, CHAINS))
        return
    name, _, base = chosen.name.partition(":")
    settings = {key: json.loads(value) for key, _, value in (one.partition("=") for one in chosen.set)}
    result = fit(name, replace(PLANS[base or name], **settings))
    RESULTS.mkdir(parents=True, exist_ok=True)
    result["versions"] = {"torch": torch.__version__, "numpy": np.__version__}
    target = RESULTS if name in PLANS else corpus.CACHE
    (target / f"train-{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
