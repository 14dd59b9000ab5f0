"""What an endpoint can and cannot do, found out by asking it: a few short questions at a bounded price."""

from seedbed.models.probe.check import MOST_REQUESTS, Check, Most, at_most
from seedbed.models.probe.finding import Finding

__all__ = ["MOST_REQUESTS", "Check", "Finding", "Most", "at_most"]
