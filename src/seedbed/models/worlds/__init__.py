"""Known worlds: grammars that write gold rows and know the truth about every row. Simulations, named as such."""

from __future__ import annotations

from functools import cache

from seedbed.errors import ConfigError
from seedbed.models.worlds.claims import Claims
from seedbed.models.worlds.facts import Facts
from seedbed.models.worlds.grammar import Attributes, Dice
from seedbed.models.worlds.intents import Intents
from seedbed.models.worlds.reviews import Reviews
from seedbed.models.worlds.world import OUTSIDE, World

__all__ = ["OUTSIDE", "WORLDS", "Attributes", "Dice", "World", "open_world"]

WORLDS: dict[str, type[World]] = {kind.name: kind for kind in (Reviews, Intents, Claims, Facts)}
"""Name to world."""


@cache
def open_world(name: str) -> World:
    """The known world of that name; the same object every time.

    Raises:
        ConfigError: There is no such world.
    """
    if name not in WORLDS:
        raise ConfigError("there is no such known world", name, f"use one of {sorted(WORLDS)}")
    return WORLDS[name]()
