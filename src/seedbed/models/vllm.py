"""vLLM's offline engine in this process: `vllm:ORG/NAME[@REVISION]` or `vllm:FOLDER`.

Written against vLLM's public documentation and sources of 0.11 and later (`LLM`, `SamplingParams`,
`StructuredOutputsParams`, the engine's `add_request`, `step` and `abort_request`) and never run by its authors: the
contract test runs where vLLM is installed and is skipped elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any

from seedbed.errors import BoundaryError, boundary
from seedbed.models.hf_checkpoint import Source, locate
from seedbed.models.in_process import Answer, InProcess, need
from seedbed.models.wire import Endpoint
from seedbed.request import Choice, Failure, JsonSchema, Regex, Reply, Request, TokenLogprob


def open_vllm(address: str, settings: Endpoint) -> InProcess:
    """The wire to vLLM's engine; nothing is loaded before the first request.

    Args:
        address: As for `hf:`; a folder is named after its content.
        settings: `concurrency` is the most sequences in a batch. vLLM takes the GPUs that CUDA_VISIBLE_DEVICES shows
            it, so `device` is not read.

    Raises:
        ConfigError: vLLM is missing, or no checkpoint can be at this address.
    """
    need("vllm", "vllm")
    source = locate(address.replace("vllm:", "hf:", 1))
    return InProcess(source.address.replace("hf:", "vllm:", 1), lambda: VllmEngine(source, settings))


class VllmEngine:
    """Answers requests with vLLM, which batches them and shares prefills of equal beginnings by itself.

    Every draw is a request of its own with a `seed` from what it says (messages, draw, rng_seed, seed), so that it
    does not depend on its neighbours; vLLM's prefix cache reads their prompt once. Log-probabilities are vLLM's raw
    ones, before temperature and `top_p`. A checkpoint's recommended sampling settings are not used. Constraints are
    enforced by vLLM's structured outputs.

    Args:
        source: Where the checkpoint is.
        settings: Only `concurrency` is read.

    Raises:
        BoundaryError: vLLM cannot load it.
    """

    def __init__(self, source: Source, settings: Endpoint) -> None:
        options: dict[str, Any] = {"revision": source.revision} if source.revision else {}
        with boundary(f"loading {source.name} in vLLM", "see whether `vllm serve` loads it, and with which options"):
            from vllm import LLM

            self._llm: Any = LLM(
                model=source.name, max_num_seqs=settings.concurrency, enable_prefix_caching=True, **options
            )
            self._engine: Any = self._llm.llm_engine
            self._tokenizer: Any = self._llm.get_tokenizer()
        self.room, self._name = settings.concurrency, source.label
        self._running: dict[str, tuple[Request, float]] = {}
        self._done: list[tuple[int, Answer]] = []

    def add(self, ticket: int, request: Request) -> None:
        """See `Engine.add`. What vLLM refuses, such as a prompt that is too long, is answered by the next step."""
        turns = [{"role": role, "content": text} for role, text in request.messages]
        try:
            with boundary("vLLM"):
                prompt = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
                self._engine.add_request(str(ticket), {"prompt_token_ids": list(prompt)}, _params(request))
        except BoundaryError as error:
            self._done.append((ticket, Failure("terminal", f"vLLM refuses the request: {error.seen}"[:500])))
            return
        self._running[str(ticket)] = (request, time.perf_counter())

    def drop(self, tickets: Sequence[int]) -> None:
        """See `Engine.drop`."""
        gone = [name for ticket in tickets if self._running.pop(name := str(ticket), None)]
        if gone:
            self._engine.abort_request(gone)

    def step(self) -> list[tuple[int, Answer]]:
        """See `Engine.step`."""
        for output in self._engine.step() if self._running else ():
            if output.finished and (known := self._running.pop(output.request_id, None)):
                self._done.append((int(output.request_id), self._answer(output, *known)))
        done, self._done = self._done, []
        return done

    def _answer(self, output: Any, request: Request, started: float) -> Answer:
        said = output.outputs[0]
        tokens_in, tokens_out, cached = len(output.prompt_token_ids), len(said.token_ids), output.num_cached_tokens or 0
        used: dict[str, Any] = {
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "tokens_cached": cached,
            "seconds": time.perf_counter() - started,
        }
        if said.finish_reason == "length":
            return Failure("truncated", "the answer stopped at max_tokens", **used)
        if said.finish_reason != "stop":
            return Failure("terminal", f"vLLM ended the answer: {said.finish_reason}", **used)
        logprobs = None if request.logprobs is None else _logprobs(said, request.logprobs, self._tokenizer)
        return Reply(said.text, model=self._name, logprobs=logprobs, **used)


def _params(request: Request) -> Any:
    """The request as vLLM's SamplingParams."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    options: dict[str, Any] = {}
    if (constraint := request.constraint) is not None:
        options["structured_outputs"] = StructuredOutputsParams(**structured(constraint))
    return SamplingParams(
        n=1,
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_tokens,
        logprobs=request.logprobs,
        seed=seed_of(request),
        output_kind=RequestOutputKind.FINAL_ONLY,
        **options,
    )


def structured(constraint: JsonSchema | Choice | Regex) -> dict[str, Any]:
    """A constraint as the one keyword of vLLM's StructuredOutputsParams.

    >>> structured(Choice(("yes", "no")))
    {'choice': ['yes', 'no']}
    """
    if isinstance(constraint, JsonSchema):
        return {"json": json.loads(constraint.text)}
    return {"choice": list(constraint.options)} if isinstance(constraint, Choice) else {"regex": constraint.pattern}


def seed_of(request: Request) -> int:
    """A number of 63 bits from what tells this answer apart from others; at temperature 0 it changes nothing."""
    said = json.dumps([request.messages, request.draw, request.rng_seed, request.seed])
    return int.from_bytes(hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def _logprobs(said: Any, count: int, tokenizer: Any) -> tuple[TokenLogprob, ...]:
    """One per token of the text: the end token, which has none, is left out."""
    found, special = [], set(tokenizer.all_special_ids)
    for token, of_place in zip(said.token_ids, said.logprobs or (), strict=False):
        if token in special:
            continue
        best = sorted(of_place.values(), key=lambda one: -one.logprob)[:count]
        top = tuple((_text(one), float(one.logprob)) for one in best)
        found.append(TokenLogprob(_text(of_place[token]), float(of_place[token].logprob), top))
    return tuple(found)


def _text(one: Any) -> str:
    return one.decoded_token or ""
