"""`seedbed doctor`: can a model be asked at an address, and what does its endpoint honour."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import click
import yaml
from pydantic import ValidationError
from rich.text import Text

from seedbed.cli.console import json_option, out, print_json, printable
from seedbed.errors import ConfigError
from seedbed.models import Endpoint
from seedbed.models.probe import Check, Finding, Most, at_most

_LOOKS = {"ok": "green", "no": "yellow", "unknown": "yellow", "failed": "bold red"}
_COLUMN = 15


@click.command()
@click.argument("address")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the endpoint, as in a recipe, e.g. --set api_key_env=MY_KEY --set api=responses.",
)
@json_option
def command(address: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Ask the model at ADDRESS a few short questions and say what its endpoint honours.

    ADDRESS is what a recipe's teacher.model takes, such as openai:gpt-4.1-mini or http://127.0.0.1:8000/v1#NAME.
    The questions cost money where the model does: what at most is printed first. Nothing is stored.

    A line says ok, no (the endpoint lacks it, and works without), unknown, or failed. Leaves with 0 when the model
    can be used, 2 when the address, a setting or the key is wrong, and 4 when the endpoint refuses or is not there.
    """
    settings = read_settings(overrides)
    check = Check(address, settings)
    if as_json:
        found = [finding.to_dict() for finding in check]
        print_json(
            {"address": address, "is_usable": check.is_usable, "found": found, "spent": check.spent,
             "teacher": check.teacher()}
        )  # fmt: skip
    else:
        _print(check, address)
    sys.exit(0 if check.is_usable else 2 if check.is_config else 4)


def read_settings(overrides: Sequence[str]) -> Endpoint:
    """Endpoint settings from `key=value` texts, values read as YAML.

    Raises:
        ConfigError: All that is wrong with them, at once.
    """
    found: dict[str, Any] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError("a setting is `key=value`", override, "e.g. --set api_key_env=MY_KEY")
        try:
            found[key.strip().removeprefix("teacher.").removeprefix("endpoint.")] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError("a setting's value is not YAML", override, "e.g. --set timeout_s=30") from error
    try:
        return Endpoint.model_validate(found)
    except ValidationError as error:
        seen = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors())
        raise ConfigError(
            "the endpoint has no such setting or value", seen, f"settings: {', '.join(Endpoint.model_fields)}"
        ) from error


def _print(check: Check, address: str) -> None:
    with contextlib.suppress(ConfigError):  # the check itself says what is wrong with the address
        _say(_beforehand(at_most(address, check.settings)))
    for finding in check:
        _line(finding)
    spent = check.spent
    usd = "usd unknown" if spent["usd"] is None else f"{spent['usd']:.6f} usd"
    _say(f"asked {_requests(spent['requests'])}: {spent['tokens_in']} tokens in, {spent['tokens_out']} out, {usd}")
    if not check.is_usable:
        _say("this model cannot be used like this: see what failed")
        return
    _say("for the recipe:")
    click.echo()
    click.echo(yaml.safe_dump({"teacher": check.teacher()}, sort_keys=False, allow_unicode=True).rstrip())
    if any(each.check == "price" and each.state != "ok" for each in check.found):
        click.echo("  # endpoint.usd_per_million_in and usd_per_million_out: look them up, or a cap in usd cannot hold")


def _beforehand(most: Most) -> str:
    if most.requests == 0:
        return "nothing is sent"
    usd = "the price is unknown" if most.usd is None else f"{most.usd:.6f} usd"
    return f"at most {_requests(most.requests)} and {most.tokens:,} tokens: {usd}"


def _requests(count: int) -> str:
    return f"{count} request{'s' * (count != 1)}"


def _say(text: str) -> None:
    out.print(printable(text), markup=False, soft_wrap=True)


def _line(finding: Finding) -> None:
    text = Text(f"{finding.state:<8}", style=_LOOKS[finding.state])
    text.append(f"{finding.check:<{_COLUMN}}", style="bold").append(printable(finding.said), style="not bold default")
    out.print(text, soft_wrap=True)
    if finding.fix:
        out.print(Text(f"{'':<{8 + _COLUMN}}-> {printable(finding.fix)}", style="dim"), soft_wrap=True)
