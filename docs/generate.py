"""Write docs/reference and the map in README.md from the code: what nobody types by hand cannot be out of date.

python docs/generate.py           write the pages
python docs/generate.py --check   exit 1 where a page differs from the code
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import json
import sys
import tempfile
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import seedbed.run
from seedbed import methods, recipe, steps, task
from seedbed.cli import COMMANDS, main
from seedbed.models import Endpoint
from seedbed.models.simulated import Knobs
from seedbed.models.worlds import WORLDS
from seedbed.steps.sample import Pilot, SampleBudget
from seedbed.students import settings as students
from seedbed.synthesis.prompts import TEMPLATES

if __package__:
    from docs import tree
else:  # run as a script, from this folder
    import tree  # type: ignore[no-redef]

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
HEAD = "<!-- Written by docs/generate.py from the code. Edit the docstrings there, then run `make docs`. -->\n\n"
STEPS: list[type[steps.Step]] = [
    getattr(steps, name) for name in steps.__all__ if name not in ("AnyStep", "Forecast", "Step")
]
STUDENTS = (
    students.LinearSettings, students.EmbeddingSettings, students.EncoderSettings, students.ReaderSettings,
    students.LmSettings,
)  # fmt: skip

SAID = {
    "kind": "Which student, or which sort of task.",
    "temperature": "Sampling temperature.",
    "top_p": "Nucleus sampling: share of the probability mass that may be drawn from.",
    "max_tokens": "Longest reply in tokens; a longer one fails as `truncated`.",
    "name": "Short name; the run's directory is called after it.",
    "gold": "See [gold](#gold).",
    "student": "See [student](#student). A plain name stands for `{kind: NAME}`.",
    "budget": "See [budget](#budget).",
    "rng_seed": "Decides everything that is random but a model's reply.",
    "steps": "What to do, in order; see [steps](steps.md).",
    "Feedback.requests": "Requests to send.",
    "Repeat.rounds": "Most rounds.",
    "Repeat.steps": "What to do in each round.",
    "usd_per_million_in": "Price of prompts, in usd per million tokens; only with its partner.",
    "usd_per_million_out": "Price of replies, in usd per million tokens; only with its partner.",
    "epochs": "Most passes over the rows.",
    "weight_decay": "Decay of matrices; biases and norms do not decay.",
}
"""Meanings of settings so plain that the code spends no docstring on them."""

INTRO = {
    "commands": """# Commands

Data goes to standard output, everything else to standard error. Exit codes: 0 good, 1 our bug, 2 usage or
configuration, 3 no clear gain, 4 budget reached or endpoint refused, 130 stopped by Ctrl-C; after 4 and 130 the same
command goes on.
""",
    "recipe": """# Recipe

A recipe is a YAML file. Paths in it are relative to its folder. A misspelt setting is an error, and all errors are
reported at once with their lines. `--set KEY=VALUE` replaces a setting for one command.
""",
    "simulated": """# The simulated teacher

`sim:WORLD` is a program that answers the same prompts as a language model, in a world whose truth is known. It is a
simulation: what it shows is whether a method works in that world, not how good any language model is. Knobs stand in
the address: `sim:reviews?fidelity=0.6&label_noise=0.1`.
""",
    "ledger": """Beside the run lies `ledger.sqlite`: every request that was ever sent, its reply, its price.
Runs of one folder share it; whatever it holds is never paid for again.
""",
}


# -- settings ----------------------------------------------------------------------------------------------------------


def settings_table(model: type[BaseModel], *, skip: Sequence[str] = ()) -> str:
    """A table of a model's settings: name, type, default, meaning."""
    said = field_docstrings(model)
    plain = {**SAID, **{key.partition(".")[2]: text for key, text in SAID.items() if key.startswith(model.__name__)}}
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        kind = type_words(field.annotation) + limits(field.metadata)
        meaning = said.get(name) or plain.get(name)
        if meaning is None:
            raise SystemExit(f"{model.__name__}.{name} has no docstring: write one under the field")
        lines.append(f"| `{name}` | {kind} | {default(field)} | {cell(meaning)} |")
    return "\n".join(lines) if len(lines) > 2 else "No settings."


def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each field of a class and of the classes it comes from."""
    said: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not (issubclass(each, BaseModel) and each.__module__.startswith("seedbed")):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0].body  # type: ignore[attr-defined]
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                said[field.target.id] = inspect.cleandoc(str(text.value.value))  # type: ignore[union-attr]
    return said


def type_words(annotation: Any) -> str:
    """A type as a recipe's author says it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_words(part) for part in parts if part is not type(None)))
    if origin is dict:
        return f"mapping of {type_words(parts[0])} to {type_words(parts[1])}"
    if origin is tuple:
        return f"list of {type_words(parts[0])}"
    plain = {str: "text", int: "integer", float: "number", bool: "true or false"}
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, steps.Step):
        return "step"
    return "mapping"


def limits(metadata: Sequence[Any]) -> str:
    """The range of a number, such as ", 0 to 1"."""
    low = next((f"{'from' if hasattr(m, 'ge') else 'above'} {getattr(m, 'ge', getattr(m, 'gt', None))}"
                for m in metadata if hasattr(m, "ge") or hasattr(m, "gt")), "")  # fmt: skip
    high = next((f"{'to' if hasattr(m, 'le') else 'below'} {getattr(m, 'le', getattr(m, 'lt', None))}"
                 for m in metadata if hasattr(m, "le") or hasattr(m, "lt")), "")  # fmt: skip
    said = " ".join(part for part in (low, high) if part)
    return f", {said}" if said else ""


def default(field: Any) -> str:
    """The default as YAML says it."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None:
        return "none"
    plain = list(value) if isinstance(value, tuple) else value
    return f"`{yaml.safe_dump(plain, default_flow_style=True).splitlines()[0]}`"


def cell(text: str) -> str:
    """Text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: sections such as Source become a line of their own."""
    text = inspect.cleandoc(docstring or "")
    lines = []
    for line in text.splitlines():
        stripped = line.strip()
        lines.append(f"**{stripped}**" if stripped in ("Source:", "Args:", "Raises:") else stripped)
    return "\n".join(lines)


# -- pages -------------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its help, as the program prints it."""
    made = [
        INTRO["commands"],
    ]
    top = click.Context(main, info_name="seedbed", terminal_width=100, **main.context_settings)
    for name in COMMANDS:
        command = main.get_command(top, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=top, max_content_width=100, terminal_width=100)
        made.append(f"## seedbed {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
        for verb, inner in getattr(command, "commands", {}).items():
            under = click.Context(inner, info_name=verb, parent=context, max_content_width=100, terminal_width=100)
            made.append(f"## seedbed {name} {verb}\n\n```text\n{inner.get_help(under).rstrip()}\n```\n")
    return "\n".join(made)


def recipe_page() -> str:
    """Every setting of a recipe and of a task."""
    made = [
        INTRO["recipe"],
        settings_table(recipe.Recipe),
        "\n## gold\n\n" + settings_table(recipe.GoldSettings),
        "\n## teacher\n\n" + settings_table(recipe.TeacherSettings),
        "\n### teacher.endpoint\n\n" + prose(Endpoint.__doc__) + "\n\n" + settings_table(Endpoint),
        "\n## budget\n\n" + prose(recipe.BudgetSettings.__doc__) + "\n\n" + settings_table(recipe.BudgetSettings),
        "\n## student",
    ]
    for student in STUDENTS:
        kind = student.model_fields["kind"].default
        made.append(f"\n### {kind}\n\n{prose(student.__doc__)}\n\n{settings_table(student, skip=('kind',))}")
    made += ["\n## task\n", prose(task.Task.__doc__), "", settings_table(task.Task)]
    verbs = ", ".join(f"`{verb}`" for verb in TEMPLATES)
    made += [f"\nPrompts that a task may replace under `prompts`: {verbs}. Each is text with `{{name}}` slots."]
    return "\n".join(made) + "\n"


def steps_page() -> str:
    """Every step, and what `seedbed compare` makes of them."""
    made = ["# Steps\n\nA recipe's `steps` is a list of these, each named by its `verb`.\n"]
    for step in STEPS:
        made.append(f"## {step.model_fields['verb'].default}\n\n{prose(step.__doc__)}\n")
        made.append(settings_table(step, skip=("verb",)) + "\n")
        if step is steps.Sample:
            for name, part in (("budget", SampleBudget), ("pilot", Pilot)):
                made.append(f"### {name}\n\n{prose(part.__doc__)}\n\n{settings_table(part)}\n")
    made.append("## Methods of `seedbed compare`\n\nDerived from an S3 recipe; `--methods` chooses some of them.\n")
    made.append("| method | what it is |\n|---|---|")
    made += [f"| `{name}` | {what} |" for name, what in methods.METHODS.items()]
    made.append("\nA recipe with a `sample` step is held against each of its teachers instead:\n")
    made.append("| method | what it is |\n|---|---|\n| `planned` | the recipe itself |")
    made.append("| a teacher's name | the whole budget on that one, all problems alike |")
    return "\n".join(made) + "\n"


def simulated_page() -> str:
    """The knobs of the embedded teacher and the worlds it lives in."""
    made = [
        INTRO["simulated"],
        settings_table(Knobs),
        "\n## Worlds\n\n| world | task | fields | labels | student |\n|---|---|---|---|---|",
    ]
    for name, world in WORLDS.items():
        of = world.task
        fields = ", ".join(f"`{field}`" for field in of.fields)
        labels = ", ".join(of.labels) or "a span of the context"
        student = "`reader`" if of.kind == "extractive_qa" else "`linear`, `embedding`, `encoder`"
        made.append(f"| `sim:{name}` | {of.kind.replace('_', ' ')} | {fields} | {labels} | {student} |")
    return "\n".join(made) + "\n"


def run_page() -> str:
    """The files of a run, and every key of its result."""
    about = inspect.cleandoc(seedbed.run.__doc__ or "").split("\n\n", 1)
    said: dict[str, str] = yaml.safe_load((HERE / "result_keys.yaml").read_text(encoding="utf-8"))
    keys = dict(paths(small_result()))
    if strange := sorted(set(keys) ^ set(said)):
        raise SystemExit(f"docs/result_keys.yaml and result.json name different keys: {strange}")
    made = [
        f"# A run\n\n{about[0]}\n\n```text\n{about[1]}\n```\n",
        INTRO["ledger"],
        "## result.json\n\nAn estimate is `{value, low, high, n, method}` with a 95 % interval; scores are shares.\n",
        "| key | type | meaning |\n|---|---|---|",
    ]
    made += [f"| `{key}` | {kind} | {cell(said[key])} |" for key, kind in keys.items()]
    return "\n".join(made) + "\n"


SMALL = {
    "name": "small",
    "task": "sim:reviews",
    "gold": {"source": "sim:reviews", "rows": 130, "steer": 40, "select": 20},
    "teacher": "sim:reviews",
    "student": "linear",
    "steps": [
        {"verb": "synthesise", "requests": 60},
        {"verb": "train"},
        {"verb": "repeat", "rounds": 1, "steps": [{"verb": "extrapolate", "requests": 20}, {"verb": "train"}]},
        {"verb": "evaluate"},
    ],
}


def small_result() -> dict[str, Any]:
    """What a small run wrote as its result."""
    with tempfile.TemporaryDirectory() as folder:
        found = seedbed.run.run_recipe(recipe.Recipe.model_validate(SMALL), Path(folder) / "run")
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]


CLOSED = ("task", "student", "versions", "map", "rejected", "failed", "spend", "asked", "account", "manifest")
"""Mappings whose inside is told in one line, or differs from run to run."""


def paths(value: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a result with its type; the entries of a list stand for each other."""
    kinds = {str: "text", bool: "true or false", int: "integer", float: "number", list: "list", dict: "mapping"}
    for name, found in value.items():
        path = head + name
        if isinstance(found, Mapping) and {"value", "low", "high"} <= set(found):
            yield path, "estimate"
        elif isinstance(found, Mapping) and name not in CLOSED and path != "evaluation.test":
            yield path, "mapping"
            yield from paths(found, path + ".")
        elif isinstance(found, list) and found and isinstance(found[0], Mapping):
            yield path, "list of mappings"
            yield from paths({key: item for entry in found for key, item in entry.items()}, path + "[].")
        else:
            yield path, kinds.get(type(found), "any")


PAGES = {
    "commands.md": commands_page,
    "recipe.md": recipe_page,
    "steps.md": steps_page,
    "simulated-teacher.md": simulated_page,
    "run.md": run_page,
}


def pages(*names: str) -> dict[Path, str]:
    """Files with what should stand in them; all of them where none is named."""
    made = {HERE / "reference" / name: HEAD + PAGES[name]() for name in names or PAGES if name in PAGES}
    if not names or README.name in names:
        made[README] = tree.with_map(README.read_text(encoding="utf-8"))
    return made


def stale(*names: str) -> list[Path]:
    """The generated files that differ from the code."""
    made = pages(*names)
    return [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is stale")
    if parser.parse_args().check:
        old = stale()
        sys.exit(f"stale, run `make docs`: {', '.join(path.name for path in old)}" if old else 0)
    for target, content in pages().items():
        target.parent.mkdir(exist_ok=True)
        target.write_text(content, encoding="utf-8")
