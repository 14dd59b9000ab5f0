"""Caps that hold: the worst case of a request is reserved before it is sent and settled after."""

from seedbed.budget.caps import Caps, Worst
from seedbed.budget.scopes import Budget

__all__ = ["Budget", "Caps", "Worst"]
