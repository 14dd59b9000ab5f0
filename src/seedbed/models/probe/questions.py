"""The questions. Each finds out one thing, in as few tokens as it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

from seedbed.errors import EndpointRefused
from seedbed.models.draws import Several, Shared
from seedbed.models.formats.reading import clean
from seedbed.models.probe.desk import Answer, Desk
from seedbed.models.probe.finding import Finding
from seedbed.models.wire import Retryable
from seedbed.request import Failure, JsonSchema, Reply, Request


def _ask(text: str, *, max_tokens: int, temperature: float = 1.0) -> Request:
    # At temperature 1, which even models that take no temperature sample at.
    return Request((("user", text),), temperature=temperature, max_tokens=max_tokens)


_HELLO = _ask("Say hello in one short sentence.", max_tokens=32)
_COUNT = _ask("Count from one to one hundred in words.", max_tokens=8)
_WORDS = _ask("List six random English words.", max_tokens=32)
_COLD = replace(_WORDS, temperature=0.0)
_SEEDED = replace(_WORDS, seed=20_250_309)
_HARBOURS = ("qx-17-vu", "zz-90-ko")
"""Nobody answers this by chance, nor because the question suggests it."""
_SHAPE = {
    "type": "object",
    "properties": {"harbour": {"type": "string", "enum": list(_HARBOURS)}},
    "required": ["harbour"],
    "additionalProperties": False,
}
_BESIDE = 4
"""Answers at once when speed is measured."""

REQUESTS: dict[str, tuple[Request, ...]] = {
    "answers": (_HELLO,),
    "system role": (
        Request(
            (("system", "Answer every question with one word: pelican."), ("user", "What is the capital of France?")),
            temperature=1.0,
            max_tokens=16,
        ),
    ),
    "max_tokens": (_COUNT,),
    "temperature 0": (_COLD, _COLD),
    "seed": (_SEEDED, _SEEDED, _WORDS, replace(_WORDS, draw=1)),
    "n": (Several.of(_WORDS, 2),),
    "json_schema": (replace(_ask("What is a river?", max_tokens=64), constraint=JsonSchema.of(_SHAPE, "harbour")),),
    "logprobs": (replace(_HELLO, logprobs=2),),
    "speed": (
        replace(_COUNT, max_tokens=128),
        *(replace(_COUNT, max_tokens=64, draw=draw) for draw in range(_BESIDE)),
    ),
}
"""What each check asks, in this order."""


def answers(desk: Desk) -> Finding:
    """Whether a short question is answered at all: without this nothing else matters."""
    (answer,) = desk.ask(*REQUESTS["answers"])
    if isinstance(answer, Failure) and answer.kind == "truncated":
        fix = "if it thinks before it answers, give it a large max_tokens"
        return Finding("answers", "ok", f"in {answer.seconds:.2f} s, but not within {_HELLO.max_tokens} tokens", fix)
    if not isinstance(answer, Reply):
        return Finding("answers", "failed", _why(answer), "look at the server's own log")
    name = f", as {clean(answer.model, 80)}" if answer.model else ""
    return Finding("answers", "ok", f"in {answer.seconds:.2f} s{name}: {_shown(answer.text)}")


def usage(desk: Desk) -> Finding:
    """Whether answers say how many tokens they took."""
    books = desk.books
    if books.unknown_tokens:
        fix = "spend is booked at its worst case; caps in tokens and usd are reached early"
        return Finding("token counts", "no", f"{books.unknown_tokens} answers did not say what they took", fix)
    return Finding("token counts", "ok", f"{books.tokens_in} in, {books.tokens_out} out so far")


def price(desk: Desk) -> Finding:
    """Whether the price is known."""
    if desk.price is None and not desk.is_on_http:
        return Finding("price", "ok", "runs in this process: nothing is billed, and the work is counted in flops")
    if desk.price is None:
        fix = "set usd_per_million_in and usd_per_million_out, or pip install 'seedbed[prices]' for hosted models"
        return Finding("price", "unknown", "not listed, so no cap in usd can hold", fix)
    found = desk.price
    return Finding("price", "ok", f"{found.per_million_in:g} usd per million tokens in, {found.per_million_out:g} out")


def system_role(desk: Desk) -> Finding:
    """Whether a system message is taken, and heeded."""
    (answer,) = desk.ask(*REQUESTS["system role"])
    if isinstance(answer, Reply) and "pelican" in answer.text.lower():
        return Finding("system role", "ok", "taken and heeded")
    if isinstance(answer, Reply):
        return Finding("system role", "ok", f"taken, not heeded this time: {_shown(answer.text)}")
    if isinstance(answer, Failure) and answer.kind == "terminal":
        return Finding("system role", "no", _why(answer), "put instructions into the user's message")
    return _unclear("system role", [answer])


def max_tokens(desk: Desk) -> Finding:
    """Whether a long answer stops at `max_tokens`, and says that it did: else half answers pass for whole ones."""
    (answer,) = desk.ask(*REQUESTS["max_tokens"])
    most = _COUNT.max_tokens
    if isinstance(answer, Failure) and answer.kind == "truncated":
        return Finding("max_tokens", "ok", "kept, and an answer that is cut says so")
    if not isinstance(answer, Reply):
        return _unclear("max_tokens", [answer])
    if answer.tokens_out is not None and answer.tokens_out > most:
        return Finding("max_tokens", "no", f"{answer.tokens_out} tokens came where {most} were allowed",
                       "what a request can cost at most is not known here: cap the usd at the service too")  # fmt: skip
    if answer.tokens_out == most:
        return Finding("max_tokens", "no", "a cut answer says it is whole", "set max_tokens far above what is needed")
    why = "no token counts to tell" if answer.tokens_out is None else "the answer was short by itself"
    return Finding("max_tokens", "unknown", f"{why}: {_shown(answer.text)}")


def temperature_zero(desk: Desk) -> Finding:
    """Whether temperature 0 answers the same twice."""
    try:
        first, second = desk.ask(*REQUESTS["temperature 0"])
    except EndpointRefused as error:
        fix = "it samples its own way; what is asked at another temperature is refused"
        return Finding("temperature 0", "no", f"not taken: {error.seen}", fix, {"temperature": 1.0})
    if not isinstance(first, Reply) or not isinstance(second, Reply):
        return _unclear("temperature 0", [first, second])
    if first.text == second.text:
        return Finding("temperature 0", "ok", "the same answer twice")
    fix = "draws differ by the server's rounding; a run replays from its ledger all the same"
    return Finding("temperature 0", "no", "two different answers", fix)


def seed(desk: Desk) -> Finding:
    """Whether a seed makes a draw repeatable that differs without one."""
    found = desk.ask(*REQUESTS["seed"])
    texts = [each.text for each in found if isinstance(each, Reply)]
    if len(texts) < len(found):
        return _unclear("seed", found)
    with_seed, without = texts[0] == texts[1], texts[2] == texts[3]
    if with_seed and not without:
        return Finding("seed", "ok", "the same answer twice with it, different ones without")
    if without:
        return Finding("seed", "unknown", "draws do not differ at temperature 1 either; is temperature heeded?")
    fix = "do not rely on it; a run replays from its ledger all the same"
    return Finding("seed", "no", "different answers with the same seed", fix)


def draws(desk: Desk) -> Finding:
    """Whether one request may ask for two answers (`n`)."""
    if desk.http is not None and desk.http.format.most_draws < 2:
        return Finding("n", "no", "this wire format has none: each draw is a request of its own")
    (answer,) = desk.ask(*REQUESTS["n"])
    if isinstance(answer, Shared) and len(answer.each) >= 2:
        if any(isinstance(each, Retryable) for each in answer.each):
            return Finding("n", "no", "two answers came, and not both can be read")
        return Finding("n", "ok", "two answers to one request; the prompt is paid for once",
                       settings={"endpoint": {"draws_per_request": 8}})  # fmt: skip
    if isinstance(answer, Retryable):
        return _unclear("n", [answer])
    seen = _why(answer) if isinstance(answer, Failure) else "one answer where two were asked for"
    return Finding("n", "no", seen, "leave draws_per_request at 1")


def response_format(desk: Desk) -> Finding:
    """Whether a JSON schema is heeded where the prompt says nothing of JSON."""
    if desk.settings.constraints == "none":
        return Finding("json_schema", "unknown", "not sent, since constraints is none")
    (answer,) = desk.ask(*REQUESTS["json_schema"])
    off = {"endpoint": {"constraints": "none"}}
    if isinstance(answer, Failure) and answer.kind == "terminal":
        return Finding("json_schema", "no", _why(answer), "answers are checked here anyway", off)
    if not isinstance(answer, Reply):
        return _unclear("json_schema", [answer])
    try:
        found = json.loads(answer.text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found.get("harbour") in _HARBOURS and len(found) == 1:
        return Finding("json_schema", "ok", "heeded without a word in the prompt")
    fix = "say in the prompt what the answer must look like; it is checked here anyway"
    return Finding("json_schema", "no", f"ignored: {_shown(answer.text)}", fix, off)


def logprobs(desk: Desk) -> Finding:
    """Whether log-probabilities come with an answer."""
    (answer,) = desk.ask(*REQUESTS["logprobs"])
    if not isinstance(answer, Reply):
        return _unclear("logprobs", [answer])
    if not answer.logprobs:
        return Finding("logprobs", "no", "none came")
    return Finding("logprobs", "ok", f"of {len(answer.logprobs)} tokens, {len(answer.logprobs[0].top)} alternatives")


def speed(desk: Desk) -> Finding:
    """Tokens per second of one answer alone, and of several at once."""
    first, *others = REQUESTS["speed"]
    (alone,) = desk.ask(first)
    start = time.monotonic()
    beside = desk.ask(*others)
    took = max(time.monotonic() - start, 1e-6)
    counts = [each.tokens_out for each in (alone, *beside) if not isinstance(each, Retryable) and each.tokens_out]
    if len(counts) < 1 + _BESIDE or isinstance(alone, Retryable):
        return _unclear("speed", [alone, *beside], "no token counts to go by")
    one, several = counts[0] / max(alone.seconds, 1e-6), sum(counts[1:]) / took
    said = f"{one:,.0f} tokens/s for one answer ({counts[0]} tokens), {several:,.0f} for {_BESIDE} at once"
    return Finding("speed", "ok", said)


def _unclear(check: str, found: Sequence[Answer], otherwise: str = "no clear answer") -> Finding:
    trouble = next((each for each in found if not isinstance(each, Reply)), None)
    return Finding(check, "unknown", otherwise if trouble is None else _why(trouble))


def _why(answer: Answer) -> str:
    if isinstance(answer, Reply):
        return _shown(answer.text)
    kind = "a passing fault" if isinstance(answer, Retryable) else answer.kind
    return f"{kind}: {clean(answer.message, 200)}"


def _shown(text: str) -> str:
    return f'"{clean(text, 60)}"'
