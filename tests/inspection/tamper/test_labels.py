import numpy as np
import pytest

from seedbed.errors import ConfigError
from seedbed.inspection.tamper.labels import flip


def test_a_flipped_label_is_another_one_and_each_comes_up() -> None:
    operator = flip(["a", "b", "c"])
    first = [next(operator.candidates("a", np.random.default_rng(seed))).text for seed in range(200)]
    assert set(first) == {"b", "c"} and 70 < first.count("b") < 130


def test_one_label_cannot_be_flipped() -> None:
    with pytest.raises(ConfigError):
        flip(["a", "a"])
