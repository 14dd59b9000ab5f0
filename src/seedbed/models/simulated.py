"""The embedded teacher: a simulated LLM in a known world. It is a simulation and calls itself one in its address.

It reads the same prompt text as a real model and answers in text. What makes it worth having is that its faults are
known: it writes from a narrower distribution than gold (`narrowness`), writes rows of another label (`label_noise`),
repeats itself, and copies an example's hidden attributes imperfectly (`fidelity`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedbed.errors import ConfigError
from seedbed.fingerprint import fingerprint
from seedbed.models.prompt_reader import Asked, read_prompt
from seedbed.models.worlds import WORLDS, Attributes, Dice, World, open_world
from seedbed.randomness import stream
from seedbed.request import Failure, Reply, Request

_STOCK = 8
"""Different stock texts per label: few enough that a teacher who repeats itself really does."""
_TRIES = 4
"""Tries at saying something else than the example word for word; in a small world it may not succeed."""
_TOKENS_PER_WORD = 1.3


class Knobs(BaseModel):
    """What decides the replies of a simulated teacher; each may stand in its address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fidelity: float = Field(0.85, ge=0, le=1)
    """Probability that a hidden attribute of an example is copied; else it is redrawn from the teacher's own. The
    label, which the prompt states too, is lost with probability (1 - fidelity) squared."""
    narrowness: float = Field(0.6, ge=0, le=1)
    """0 writes as gold does; 1 writes little but the head of every attribute."""
    label_noise: float = Field(0.05, ge=0, le=1)
    """Probability that the text is of another label than was asked for."""
    follows_example: float = Field(0.5, ge=0, le=1)
    """Probability that the text of a wrongly labelled example wins over the label in the prompt."""
    repeats: float = Field(0.05, ge=0, le=1)
    """Probability of handing out one of a few stock texts."""
    verify_accuracy: float = Field(0.9, ge=0, le=1)
    """Probability that a text is read rightly when asked for its label or answer."""
    wrapping: float = Field(0.02, ge=0, le=1)
    """Probability that the text comes in quotes, in a code fence or after an introduction."""
    refusals: float = Field(0.005, ge=0, le=1)
    """Half of them are a refusal by the endpoint, half an apology in words."""
    failures: float = Field(0.002, ge=0, le=1)
    """Probability that the endpoint will never answer this request."""
    truncations: float = Field(0.002, ge=0, le=1)
    """Probability that the reply stops at `max_tokens`; it is billed."""
    usd_in: float = Field(0.15, ge=0)
    """Price per million tokens of prompts."""
    usd_out: float = Field(0.60, ge=0)
    """Price per million tokens of replies."""
    parameters_billion: float | None = Field(None, gt=0)
    """Active parameters, in billions, by which its work is counted in flops; none leaves it unknown."""
    latency_s: float = Field(0.0, ge=0, le=60)
    """Seconds before each reply."""


def parse_address(address: str) -> tuple[str, Knobs]:
    """World name and knobs of an address such as `sim:reviews?fidelity=0.9&narrowness=0.6`.

    Raises:
        ConfigError: Another scheme, an unknown world, an unknown knob, or a value outside its range.
    """
    scheme, _, rest = address.partition(":")
    name, _, query = rest.partition("?")
    if scheme != "sim" or name not in WORLDS:
        raise ConfigError("no such simulated teacher", address, f"use sim:NAME with one of {sorted(WORLDS)}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        if len(dict(pairs)) < len(pairs):
            raise ConfigError("a knob of the simulated teacher is set twice", address, "name each knob once")
        return name, Knobs.model_validate(dict(pairs))
    except ValidationError as error:
        seen = "; ".join(f"{'.'.join(map(str, e['loc']))}={e['input']}: {e['msg']}" for e in error.errors())
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        seen = str(error)
    known = ", ".join(f"{knob}={field.default}" for knob, field in Knobs.model_fields.items())
    raise ConfigError("the simulated teacher has no such setting", f"{address}: {seen}", f"knobs and defaults: {known}")


class Simulated:
    """A wire to a simulated teacher. A reply depends on the address and the request only.

    Args:
        address: See `parse_address`; the knobs stand in it because they decide the replies.
    """

    def __init__(self, address: str) -> None:
        name, self.knobs = parse_address(address)
        self.address = address
        self.world: World = open_world(name)
        task = self.world.task
        self._has_context, self._answers_in_text = task.context is not None, task.kind == "extractive_qa"
        # The label is asked for, never chosen, so the teacher is not narrow about it.
        self._habits = self.world.network.narrowed(self.knobs.narrowness, keep=("label",))
        # A list of different reasons cannot repeat itself, so it reaches further down the tail than single texts do.
        self._reflection = self.world.network.narrowed(self.knobs.narrowness / 2, keep=("label",))
        self._phrases = {
            phrase: (choice.name, value)
            for choice in self.world.network.choices
            for value, phrase in choice.said.items()
        }

    def _question(self, request: Request) -> str:
        """What decides the dice: the question, however the ledger spells its key."""
        sampling = [float(request.temperature), float(request.top_p), request.max_tokens]
        asked = [self.address, list(map(list, request.messages)), request.draw, request.rng_seed, sampling]
        if request.seed is not None or request.logprobs is not None or request.constraint is not None:
            asked.append(request.canonical())
        return fingerprint(asked, digits=32)

    async def send(self, request: Request) -> Reply | Failure:
        """Answer one request."""
        if self.knobs.latency_s:
            await asyncio.sleep(self.knobs.latency_s)
        dice = Dice(stream(0, "simulated teacher", self._question(request)))
        tokens_in = _tokens(" ".join(text for _, text in request.messages))
        if dice.chance(self.knobs.failures):
            return Failure("terminal", "simulated: 400, the endpoint will not answer this request")
        if dice.chance(self.knobs.refusals):
            if dice.chance(0.5):
                return Failure("refused", "simulated: content filter", tokens_in, 0, self._usd(tokens_in, 0))
            return self._reply("I'm sorry, but I can't help with that.", tokens_in)
        text = self._answer(request, dice)
        tokens_out = _tokens(text)
        if tokens_out > request.max_tokens or dice.chance(self.knobs.truncations):
            cut = min(tokens_out, request.max_tokens)
            return Failure("truncated", "simulated: stopped at max_tokens", tokens_in, cut, self._usd(tokens_in, cut))
        return self._reply(text, tokens_in)

    async def close(self) -> None:
        """Nothing is open."""

    def _reply(self, text: str, tokens_in: int) -> Reply:
        tokens_out = _tokens(text)
        return Reply(
            text,
            tokens_in,
            tokens_out,
            self._usd(tokens_in, tokens_out),
            seconds=self.knobs.latency_s,
            model=f"simulated teacher in the known world {self.world.name!r}",
        )

    def _usd(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.knobs.usd_in + tokens_out * self.knobs.usd_out) / 1e6

    # -- what it says ----------------------------------------------------------------------------------------------

    def _answer(self, request: Request, dice: Dice) -> str:
        asked = read_prompt(_prompt(request), has_context=self._has_context, answers_in_text=self._answers_in_text)
        if asked.verb == "verify":
            return self._judge(asked, dice)
        if asked.verb == "reasons":
            return self._reasons(asked, request.draw)
        if asked.verb == "explain":
            return self._explain(asked, dice)
        if asked.verb == "unknown" or self._pins(asked.context, asked.answer) is None:
            return "Could you tell me more about what you would like me to write?"
        return _wrapped(self._write(asked, dice), self.knobs.wrapping, dice)

    def _write(self, asked: Asked, dice: Dice) -> str:
        context, answer = asked.context, asked.answer or ""
        if asked.verb == "seed" and context is None and dice.chance(self.knobs.repeats):
            stock = Dice(stream(0, "stock", self.world.name, answer, int(dice.roll() * _STOCK)))
            return self._row(self._pins(None, answer) or {}, stock, None)
        answer = self._drifted(asked, answer, dice)
        if dice.chance(self.knobs.label_noise):
            answer = self.world.other_answer(context, answer, dice)
        given = self._pins(context, answer) or {}
        wanted = {**self._copied(asked, dice), **self._named(asked.said, dice), **given}
        text = self._row(wanted, dice, context)
        for _ in range(_TRIES):
            if text not in asked.examples:
                break
            text = self._row(wanted, dice, context)
        return text

    def _row(self, wanted: Mapping[str, str], dice: Dice, context: str | None) -> str:
        attributes = self._habits.draw(dice, self.world.possible(wanted))
        return self.world.write(attributes, dice, context)[self.world.task.written]

    def _drifted(self, asked: Asked, answer: str, dice: Dice) -> str:
        """The answer that a look-alike will really have."""
        if asked.verb != "extrapolate":
            return answer
        # The label is an attribute like the others, but it stands in the prompt and in the example: it is lost
        # where the teacher misses both, and then it is right by chance half of the time.
        if dice.chance((1 - self.knobs.fidelity) ** 2):
            other = self.world.other_answer(asked.context, answer, dice)
            return dice.pick([answer, other])
        if not dice.chance(self.knobs.follows_example):
            return answer
        truth = self.world.truth(self._as_row(asked.context, asked.examples[-1]))
        return answer if truth is None or self._pins(asked.context, truth) is None else truth

    def _copied(self, asked: Asked, dice: Dice) -> Attributes:
        """Hidden attributes taken over from the examples in the prompt."""
        if not asked.examples:
            return {}
        # "Different from all of them" asks for a new text in the manner of the examples, so half as much is copied.
        share = self.knobs.fidelity if asked.verb == "extrapolate" else self.knobs.fidelity / 2
        attributes = self.world.read(self._as_row(asked.context, dice.pick(asked.examples))) or {}
        copied = {name: value for name, value in attributes.items() if dice.chance(share)}
        for choice in self.world.network.choices:
            if choice.name in self.world.fresh_attributes and attributes:
                copied[choice.name] = dice.pick([value for value in choice.values if value != attributes[choice.name]])
        return copied

    def _named(self, said: str, dice: Dice) -> Attributes:
        """Hidden attributes that the prompt names in words; of two values of one attribute, either."""
        found: dict[str, list[str]] = {}
        for phrase, (name, value) in self._phrases.items():
            if phrase in said:
                found.setdefault(name, []).append(value)
        return {name: dice.pick(values) for name, values in found.items()}

    def _reasons(self, asked: Asked, draw: int) -> str:
        given = self._pins(None, asked.answer)
        if given is None:
            return "1. It depends on what you are after."
        # The same things come to mind for every label (good food, bad food), so the order is noisy in the draw but
        # not in the label; else a topic listed for one label only would give that label away.
        whims = Dice(stream(0, "reasons", self.world.name, draw))
        keenness: dict[str, float] = {}
        for choice in self._reflection.choices:
            table = choice.tables["" if choice.parent is None else given.get(choice.parent, "")]
            for value, phrase in choice.said.items():
                gumbel = -math.log(-math.log(whims.roll() or 0.5))
                if table.get(value, 0.0) > 0:
                    keenness[phrase] = math.log(table[value]) + gumbel
        reasons = sorted(keenness, key=lambda phrase: -keenness[phrase])[: asked.count]
        return "\n".join(f"{i}. It is about {reason}." for i, reason in enumerate(reasons, start=1))

    def _explain(self, asked: Asked, dice: Dice) -> str:
        attributes = self.world.read(self._as_row(asked.context, asked.examples[-1])) or {}
        said = [phrase for phrase, (name, value) in self._phrases.items() if attributes.get(name) == value]
        if not said or not dice.chance(self.knobs.verify_accuracy):
            return "The text as a whole gives that impression."
        return f"The text is about {' and '.join(said)}."

    def _judge(self, asked: Asked, dice: Dice) -> str:
        truth = self.world.truth(self._as_row(asked.context, asked.examples[-1]))
        if truth is None or (asked.choices and truth not in asked.choices):
            return dice.pick(asked.choices) if asked.choices else "The text does not say."
        if dice.chance(self.knobs.verify_accuracy):
            return truth
        return self.world.other_answer(asked.context, truth, dice)

    def _pins(self, context: str | None, answer: str | None) -> Attributes | None:
        return None if answer is None else self.world.pins(context, answer)

    def _as_row(self, context: str | None, written: str) -> dict[str, str]:
        task = self.world.task
        return {task.written: written} | ({} if task.context is None else {task.context: context or ""})


def _prompt(request: Request) -> str:
    return next((text for role, text in reversed(request.messages) if role == "user"), "")


def _tokens(text: str) -> int:
    return max(1, round(len(text.split()) * _TOKENS_PER_WORD))


def _wrapped(text: str, probability: float, dice: Dice) -> str:
    if not dice.chance(probability):
        return text
    return dice.pick(('"{}"', "```\n{}\n```", "“{}”", "Here is what you asked for:\n\n{}")).format(text)
