"""The verbs of a recipe: one file each. Whoever has read this folder's listing has read what a recipe can say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seedbed.steps.curate import Curate
from seedbed.steps.deduplicate import Deduplicate
from seedbed.steps.evaluate import Evaluate
from seedbed.steps.extrapolate import Extrapolate
from seedbed.steps.feedback import Feedback
from seedbed.steps.repeat import Repeat
from seedbed.steps.sample import Sample
from seedbed.steps.step import Forecast, Step
from seedbed.steps.synthesise import Synthesise
from seedbed.steps.train import Train
from seedbed.steps.use_gold import UseGold
from seedbed.steps.use_rows import UseRows
from seedbed.steps.verify import Verify

AnyStep = Annotated[
    Synthesise
    | UseGold
    | UseRows
    | Sample
    | Curate
    | Train
    | Extrapolate
    | Feedback
    | Verify
    | Deduplicate
    | Repeat
    | Evaluate,
    Field(discriminator="verb"),
]
"""Any step, told apart by its `verb`."""

Repeat.model_rebuild(_types_namespace={"AnyStep": AnyStep})

__all__ = [
    "AnyStep",
    "Curate",
    "Deduplicate",
    "Evaluate",
    "Extrapolate",
    "Feedback",
    "Forecast",
    "Repeat",
    "Sample",
    "Step",
    "Synthesise",
    "Train",
    "UseGold",
    "UseRows",
    "Verify",
]
