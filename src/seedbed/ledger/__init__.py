"""The ledger: every request ever sent, its reply, its price. It is the cache too."""

from seedbed.ledger.store import FLUSH_S, Intent, Ledger, Spend, storable

__all__ = ["FLUSH_S", "Intent", "Ledger", "Spend", "storable"]
