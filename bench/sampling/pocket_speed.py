"""Tokens per CPU second: a pocket model with numpy beside `transformers generate` on the same weights and requests.

python bench/sampling/pocket_speed.py        pocket:weak and pocket:strong; writes results/pocket_speed.json
python bench/sampling/pocket_speed.py --models weak --pairs 3 --draws 16 --out -

Both run in this process, one after the other and in changing order, on one thread, and are timed in CPU seconds. Of
transformers' batch sizes its best counts. Tokens are those of the answers up to their end; prompts are work, not yield.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from seedbed.estimate import mean_t  # noqa: E402
from seedbed.pocket import checkpoint, problems  # noqa: E402
from seedbed.pocket.net import Net, sample  # noqa: E402
from seedbed.pocket.tokenizer import Tokenizer  # noqa: E402

HERE = Path(__file__).resolve().parent
HF_ROWS = (64, 256)
"""Rows per batch that transformers is tried with."""
RNG_SEED = 4


@dataclass(frozen=True)
class Case:
    """The same requests for both."""

    model: str
    prompts: list[list[int]]
    draws: int
    max_tokens: int


@dataclass(frozen=True)
class Timed:
    """What one of them did."""

    tokens: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Tokens per CPU second."""
        return self.tokens / self.cpu_s


def main() -> None:
    """Run every case in pairs, print and keep the ratios."""
    args = arguments()
    cases = [
        Case(model, prompts(args.rows // draws), draws, args.max_tokens)
        for model in args.models.split(",")
        for draws in map(int, args.draws.split(","))
    ]
    kept: dict[str, Any] = {**about(), "cases": []}
    for case in cases:
        kept["cases"].append(result := compare(case, args.pairs))
        print(json.dumps({key: result[key] for key in ("model", "draws", "ours", "transformers", "times")}), flush=True)
        if args.out != "-":
            Path(args.out).parent.mkdir(exist_ok=True)
            Path(args.out).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="weak,strong", help="shipped names or folders, by commas")
    parser.add_argument("--draws", default="4,16,64", help="answers per prompt, by commas")
    parser.add_argument("--rows", type=int, default=512, help="answers per run of a case")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--out", default=str(HERE / "results" / "pocket_speed.json"))
    return parser.parse_args()


def prompts(count: int) -> list[list[int]]:
    """Tokens of fresh problems."""
    tokenizer = Tokenizer()
    return [tokenizer.prompt(problem.text) for problem in problems.write(count, RNG_SEED)]


def compare(case: Case, pairs: int) -> dict[str, Any]:
    """Both, `pairs` times, in changing order; their rates, and how many times faster ours is."""
    folder = checkpoint.folder(case.model)
    net, other = Net.load(folder), load_other(folder)
    runs: dict[str, Callable[[int], Timed]] = {"ours": lambda seed: ours(net, case, seed)}
    for rows in HF_ROWS:
        if rows >= case.draws:
            runs[f"transformers {rows}"] = lambda seed, rows=rows: theirs(other, net, case, rows, seed)
    found: dict[str, list[Timed]] = {name: [] for name in runs}
    ours(net, case, 0)  # both are warm before the first pair
    theirs(other, net, Case(case.model, case.prompts[:4], case.draws, 8), HF_ROWS[0], 0)
    for pair in range(pairs):
        for name in list(runs)[:: 1 if pair % 2 else -1]:
            found[name].append(runs[name](pair))
    best = max((name for name in runs if name != "ours"), key=lambda name: np.mean([one.rate for one in found[name]]))
    times = np.array([a.rate / b.rate for a, b in zip(found["ours"], found[best], strict=True)])
    return {
        "model": Path(case.model).name,
        "parameters": net.parameters,
        "prompts": len(case.prompts),
        "draws": case.draws,
        "mean_tokens_in": float(np.mean([len(prompt) for prompt in case.prompts])),
        "mean_tokens_out": float(np.mean([one.tokens for one in found["ours"]])) / len(case.prompts) / case.draws,
        "ours": round(float(np.mean([one.rate for one in found["ours"]]))),
        "transformers": round(float(np.mean([one.rate for one in found[best]]))),
        "transformers_best": best,
        "times": estimated(times),
        "runs": {name: [[one.tokens, round(one.cpu_s, 4)] for one in all_of] for name, all_of in found.items()},
    }


def estimated(times: np.ndarray) -> dict[str, Any]:
    """The mean of the paired ratios with its interval."""
    estimate = mean_t(times)
    return {key: round(getattr(estimate, key), 2) for key in ("value", "low", "high")} | {"n": len(times)}


def ours(net: Net, case: Case, rng_seed: int) -> Timed:
    """With numpy."""
    start = time.process_time()
    found = sample(net, case.prompts, draws=case.draws, max_tokens=case.max_tokens, rng_seed=rng_seed)
    return Timed(sum(map(len, found)), time.process_time() - start)


def load_other(folder: Path) -> Any:
    """The same weights in transformers, float32 on one thread."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def theirs(model: Any, net: Net, case: Case, rows: int, rng_seed: int) -> Timed:
    """With `generate`: prompts of similar length together, padded on the left, all draws of a prompt in one batch."""
    import torch

    torch.manual_seed(rng_seed)
    each, ends, tokens = max(1, rows // case.draws), torch.tensor(net.shape.ends), 0
    start = time.process_time()
    ordered = sorted(case.prompts, key=len)
    for first in range(0, len(ordered), each):
        group = ordered[first : first + each]
        width = max(map(len, group))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in group])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in group])
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                top_p=1.0,
                max_new_tokens=case.max_tokens,
                num_return_sequences=case.draws,
                pad_token_id=0,
                eos_token_id=ends.tolist(),
            )[:, width:]
        is_end = torch.isin(out, ends)
        length = torch.where(is_end.any(1), is_end.int().argmax(1) + 1, out.shape[1])
        tokens += int(length.sum())
    return Timed(tokens, time.process_time() - start)


def about() -> dict[str, Any]:
    """What the numbers were made with."""
    import torch
    import transformers

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()

    # Another machine has the folders elsewhere.
    words = [",".join(Path(part).name for part in word.split(",")) for word in sys.argv[1:]]
    changes = " with changes" if git("status", "--porcelain", "--", "../../src/seedbed/pocket") else ""
    return {
        "command": f"python bench/sampling/{Path(sys.argv[0]).name} {' '.join(words)}".strip(),
        "commit": git("rev-parse", "--short", "HEAD") + changes,
        "when": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "versions": {"numpy": np.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
        "threads": 1,
        "rng_seed": RNG_SEED,
    }


if __name__ == "__main__":
    main()
