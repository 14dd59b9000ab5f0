"""What an answer used, and how the draws of one request share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from seedbed.request import Failure, FailureKind, Reply, TokenLogprob


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; None is unknown, which is not 0."""

    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int = 0

    def reply(self, text: str, model: str, seconds: float, logprobs: tuple[TokenLogprob, ...] | None = None) -> Reply:
        """A good answer that used this."""
        # Positional: this is built once per request, and keywords cost a third more.
        cached = min(self.tokens_cached, self.tokens_in or 0)
        return Reply(text, self.tokens_in, self.tokens_out, None, seconds, model, False, cached, None, logprobs)

    def failure(self, kind: FailureKind, message: str, seconds: float) -> Failure:
        """An answer that is none, and was billed all the same."""
        cached = min(self.tokens_cached, self.tokens_in or 0)
        return Failure(kind, message, self.tokens_in, self.tokens_out, seconds=seconds, tokens_cached=cached)

    def shared(self, lengths: Sequence[int | None]) -> list[Usage]:
        """One usage per answer; their sums are this one's, exactly.

        The prompt was read once and is booked on the first answer. The endpoint counts the tokens of all answers
        together, so they are shared in proportion to the answers' lengths.

        Args:
            lengths: Characters of each answer; None for one that is unreadable and carries nothing.

        >>> [it.tokens_out for it in Usage(10, 7).shared([1, 1, 2])]
        [2, 2, 3]
        """
        # An empty answer took its end token too.
        weights = [0 if length is None else length + 1 for length in lengths]
        reached = list(accumulate(weights, initial=0))
        total = reached[-1] or 1
        shares, is_first = [], True
        for before, after in pairwise(reached):
            carries = after > before
            tokens_out = self.tokens_out
            if tokens_out is not None:
                tokens_out = tokens_out * after // total - tokens_out * before // total
            owns_prompt = carries and is_first
            tokens_in = self.tokens_in if owns_prompt or self.tokens_in is None else 0
            shares.append(Usage(tokens_in, tokens_out, self.tokens_cached if owns_prompt else 0))
            is_first &= not carries
        return shares
