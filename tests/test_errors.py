"""Errors carry their way out, travel, and attribute."""

import pickle

import pytest

from seedbed.errors import BoundaryError, BudgetExceeded, ConfigError, SeedbedError, boundary


def test_an_error_shows_problem_seen_and_fix():
    assert str(ConfigError("no key", "OPENAI_API_KEY is empty", "export it")).splitlines() == [
        "no key",
        "  seen: OPENAI_API_KEY is empty",
        "  fix:  export it",
    ]


def test_an_error_pickles_with_its_parts():
    error = pickle.loads(pickle.dumps(BudgetExceeded("the cap", "5 of 5 usd", "raise it")))
    assert (error.problem, error.seen, error.fix, error.exit_code) == ("the cap", "5 of 5 usd", "raise it", 4)


def test_a_boundary_names_whose_code_failed():
    with pytest.raises(BoundaryError, match="the hub failed"), boundary("the hub"):
        raise KeyError("x")


def test_a_boundary_lets_our_own_errors_through():
    with pytest.raises(ConfigError), boundary("the hub"):
        raise ConfigError("ours")


def test_every_error_is_also_a_plain_one():
    assert issubclass(ConfigError, ValueError) and issubclass(BudgetExceeded, RuntimeError)
    assert {kind.exit_code for kind in SeedbedError.__subclasses__()} == {1, 2, 4}
