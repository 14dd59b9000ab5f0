"""The limits of the code's shape that a machine can check. A limit that makes a piece of code worse: change it here."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from seedbed.cli import COMMANDS

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "seedbed"
MODULES = sorted(SRC.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

FILE_LINES, FILE_LINES_HARD = 400, 500
FUNCTION_LINES, FUNCTION_LINES_HARD = 40, 60
PARAMETERS = 7
NAMELESS = {"utils", "util", "common", "helpers", "types", "core", "base", "misc"}
HEAVY = {
    "numpy",
    "scipy",
    "sklearn",
    "polars",
    "pydantic",
    "yaml",
    "rich",
    "aiohttp",
    "torch",
    "transformers",
    "datasets",
}
IMPORT_CPU_MS = 150
EXTRA_TEST_FOLDERS = {"contracts", "docs"}
"""Folders of tests that mirror no folder of the program."""
EXTRA_TESTS = {"test_structure", "test_recipes", "test_examples", "test_real_recipe"}
PICTOGRAPH = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55]")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def lines_of(function: Function) -> int:
    """Lines without the docstring: a limit that counted it would be met by saying less."""
    first = function.body[0]
    said = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        said = (first.end_lineno or 0) - first.lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - said


def where(path: Path, function: Function) -> str:
    return f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"


def is_command(function: Function) -> bool:
    """Click decides what a command takes: one parameter for each option."""
    return any("click.command" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_HARD} == {}
    long = {name: length for name, length in lengths.items() if length > FILE_LINES}
    assert long == {}, "split by noun, or say here why not"


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {where(path, function): lines_of(function) for path in MODULES for function in functions(path)}
    for name, length in lengths.items():
        if length > FUNCTION_LINES:
            print(f"over {FUNCTION_LINES} lines, seen with -rP: {name} {length}")
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_HARD} == {}


def test_no_function_takes_more_than_seven_parameters() -> None:
    counts = {}
    for path in MODULES:
        for function in functions(path):
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            named = [argument for argument in given if argument.arg not in ("self", "cls")]
            if len(named) > PARAMETERS and not is_command(function):
                counts[where(path, function)] = len(named)
    assert counts == {}


def test_a_module_is_named_after_what_is_in_it() -> None:
    assert [str(path.relative_to(ROOT)) for path in MODULES if NAMELESS & {path.stem, path.parent.name}] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_everything_public_says_what_it_does() -> None:
    silent = []
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_public = isinstance(node, (*Function.__args__, ast.ClassDef)) and not node.name.startswith("_")
            if is_public and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert silent == []


def modules_after(code: str) -> tuple[set[str], float]:
    """Top-level packages that a fresh interpreter holds after running `code`, and its CPU time in ms."""
    script = (
        f"import sys, time; start = time.process_time()\n{code}\n"
        "print(1000 * (time.process_time() - start), *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SRC.parent)!r})\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_ms, *names = done.stdout.splitlines()[-1].split()
    return set(names), float(cpu_ms)


def test_importing_the_package_is_instant_and_pulls_in_nothing_heavy() -> None:
    loaded, cpu_ms = modules_after("import seedbed")
    assert loaded & HEAVY == set()
    assert cpu_ms < IMPORT_CPU_MS


def test_help_pulls_in_nothing_heavy() -> None:
    loaded, _ = modules_after("from seedbed.cli import main; main(['--help'], standalone_mode=False)")
    assert loaded & HEAVY == set()
    assert "click" in loaded


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## seedbed {name}\n" not in page] == []


def test_every_step_is_documented_and_lives_in_a_file_of_its_name() -> None:
    import seedbed.steps as vocabulary

    page = (ROOT / "docs" / "reference" / "steps.md").read_text(encoding="utf-8")
    steps = [getattr(vocabulary, name) for name in vocabulary.__all__ if name not in ("AnyStep", "Forecast", "Step")]
    verbs = [step.model_fields["verb"].default for step in steps]
    assert [verb for verb in verbs if f"## {verb}\n" not in page] == []
    assert [step.__module__ for step in steps] == [f"seedbed.steps.{verb}" for verb in verbs]


def test_tests_lie_where_the_code_they_test_lies() -> None:
    astray = []
    for path in TESTS:
        place = path.relative_to(ROOT / "tests")
        if place.parts[0] in EXTRA_TEST_FOLDERS or path.stem in EXTRA_TESTS:
            continue
        if len(place.parts) > 1 and not (SRC / place.parent).is_dir():
            astray.append(str(place))
        named = SRC / place.parent / place.stem.removeprefix("test_")
        if len(place.parts) == 1 and not (named.is_dir() or named.with_suffix(".py").exists()):
            astray.append(str(place))
    assert astray == []


def test_every_folder_of_the_program_has_tests() -> None:
    folders = {path.parent.relative_to(SRC).parts[0] for path in MODULES if path.parent != SRC}
    assert (
        sorted(
            name
            for name in folders
            if not [*(ROOT / "tests").glob(f"{name}/test_*.py"), *(ROOT / "tests").glob(f"test_{name}.py")]
        )
        == []
    )


def test_no_pictographs() -> None:
    written = [*MODULES, *TESTS, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "recipes").glob("*.yaml")]
    assert [
        str(path.relative_to(ROOT)) for path in written if PICTOGRAPH.search(path.read_text(encoding="utf-8"))
    ] == []
