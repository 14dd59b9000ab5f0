"""What may be used at most, and what one request can take at most."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class Caps(BaseModel):
    """Most that may be used; what is not named has no cap."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Most to pay. Answers that the ledger owned are free."""
    tokens: int | None = Field(None, gt=0)
    """Most tokens, prompts and replies together, those of owned answers among them."""
    requests: int | None = Field(None, gt=0)
    """Most requests, those that the ledger answers among them."""
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Most minutes of asking, over all restarts. What is sent then depends on how fast the answers come."""
    flops: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Most floating-point operations of the model, those of owned answers among them; needs the model's size."""

    def own(self) -> dict[str, float]:
        """The caps that are set, by name."""
        found = {name: getattr(self, name) for name in Caps.model_fields}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Worst:
    """What one request can cost at most."""

    usd: float | None
    """None where the price is unknown."""
    tokens: int
    is_new: bool = True
    """False when this scope counted the request before it was restarted."""
    flops: float | None = None
    """None where the model's size is unknown."""
