"""Where generated programs run: isolated, limited, and unable to say of themselves that they passed."""

from seedbed.verification.sandbox.levels import LEVELS, Level, active_level, available_levels
from seedbed.verification.sandbox.limits import Answer, Job, Limits, Outcome, Status
from seedbed.verification.sandbox.pool import Sandbox

__all__ = [
    "LEVELS",
    "Answer",
    "Job",
    "Level",
    "Limits",
    "Outcome",
    "Sandbox",
    "Status",
    "active_level",
    "available_levels",
]
