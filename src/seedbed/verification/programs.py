"""Whether generated programs do what they should: unit tests, run in the sandbox.

A test says what is right; a program must not be able to read it, or to claim that it passed. So the two never meet in
a process. The program's process is asked for values (what it prints, what a call returns), and these are compared
outside by our own rule for plain data. Against that, these do not help a program: to exit early, to print or send
"passed", to patch `==`, builtins or this code, to return an object that equals everything, to search frames and memory
for the expected value.

What is not defended: a program that has learned the answers by heart; and a test statement that is not a plain assert
(a loop or a `try` with asserts within), which has to run in the program's process. A result that rests on such a
statement says so: `sealed` is False.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from seedbed.errors import DataError
from seedbed.verification.asserts import Check, checks, literal, names_in
from seedbed.verification.sandbox import Answer, Job, Limits, Outcome, Sandbox
from seedbed.verification.sandbox.plain import same

ProgramStatus = Literal["passed", "failed", "error", "timeout", "memory", "killed"]


@dataclass(frozen=True)
class Prints:
    """Reading `stdin`, the program must print `stdout`; blanks at the ends of lines and of the text do not count."""

    stdin: str
    stdout: str


@dataclass(frozen=True)
class Returns:
    """Called with `arguments`, a function of the program must return a plain value equal to `value`.

    `function` may be any expression that can be called, such as `Solution().add`.
    """

    function: str
    arguments: tuple[object, ...]
    value: object
    keywords: Mapping[str, object] = field(default_factory=dict)
    tolerance: float = 1e-9


@dataclass(frozen=True)
class Asserts:
    """Statements that must hold, as MBPP writes them; or HumanEval's `check(candidate)` about `entry_point`."""

    statements: str
    entry_point: str = ""


Test = Prints | Returns | Asserts


@dataclass(frozen=True)
class Program:
    """Source text and what it should do."""

    source: str
    tests: tuple[Test, ...]


@dataclass(frozen=True)
class Failure:
    """A test that did not pass: its place in `Program.tests`, and why."""

    test: int
    why: str


@dataclass(frozen=True)
class ProgramResult:
    """How a program did.

    Attributes:
        status: `passed` where every test did. `error`, `timeout`, `memory`, `killed`: it did not get to the end of all
            of them. `failed`: it did, and some were not met.
        why: One line; empty where it passed.
        failures: Each test that did not pass, in order.
        passed: How many tests did.
        sealed: Whether what is right stayed out of the program's reach in all tests.
        seconds: Wall time of its processes one after the other.
        cpu_s: Their processor time.
    """

    status: ProgramStatus
    why: str
    failures: tuple[Failure, ...]
    passed: int
    sealed: bool
    seconds: float
    cpu_s: float


def run_tests(
    programs: Sequence[Program], limits: Limits | None = None, *, sandbox: Sandbox | None = None
) -> list[ProgramResult]:
    """Test programs, many at once.

    Args:
        programs: Each with its tests.
        limits: What each process may use. Each `Prints` is a process of its own; all else of a program shares one.
        sandbox: Where to run; without one, the best that this machine can build is opened for this call, which costs a
            third of a second.

    Returns:
        One result per program, in their order.

    Raises:
        ConfigError: No sandbox can be had here. Nothing was run.
        DataError: A program has no tests, or a test cannot be read.
    """
    plans = [_Plan.of(program) for program in programs]
    with _opened(sandbox) as box:
        outcomes = iter(box.run([job for plan in plans for job in plan.jobs], limits))
        trials = [_Trial(plan, [next(outcomes) for _ in plan.jobs]) for plan in plans]
        open_trials = [trial for trial in trials if trial.judge is not None]
        verdicts = box.run([trial.judge for trial in open_trials if trial.judge is not None], limits)
        for trial, verdict in zip(open_trials, verdicts, strict=True):
            trial.hear(verdict)
    return [trial.result() for trial in trials]


def run_program(
    source: str, stdin: str = "", limits: Limits | None = None, *, sandbox: Sandbox | None = None
) -> Outcome:
    """What one program prints, and how it ended.

    Raises:
        ConfigError: No sandbox can be had here. It was not run.
    """
    with _opened(sandbox) as box:
        return box.run([Job(source, stdin)], limits)[0]


_ANSWER = "next((str(globals()[name]) for name in ('ans', 'answer') if name in globals()), None)"
_CALLED = "str(solution())"


def program_answers(
    sources: Sequence[str], limits: Limits | None = None, *, sandbox: Sandbox | None = None
) -> list[str | None]:
    """The answer that each program works out, for solutions written as programs.

    That is the variable `ans` or `answer` where the program sets one, else what its function `solution()` returns, else
    the last line that it printed.

    Returns:
        One text per program, in their order; None where it did not run to its end or gave no answer.

    Raises:
        ConfigError: No sandbox can be had here. Nothing was run.

    Source:
        Gao et al. 2023, PAL: Program-aided Language Models, arXiv:2211.10435. Differs: run in a sandbox.
    """
    asked = f"({_ANSWER}) or ({_CALLED} if 'solution' in globals() else None)"
    with _opened(sandbox) as box:
        outcomes = box.run([Job(source, asked=(("value", asked),)) for source in sources], limits)
    return [_said(outcome) for outcome in outcomes]


def _said(outcome: Outcome) -> str | None:
    if outcome.status != "done":
        return None
    answer = outcome.answers[0] if outcome.answers else Answer(why="it ended before it was asked")
    if answer.why and outcome.answers:
        return None
    if answer.value is not None:
        return str(answer.value)
    lines = outcome.stdout.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), None)


@contextmanager
def _opened(sandbox: Sandbox | None) -> Iterator[Sandbox]:
    if sandbox is not None:
        yield sandbox
        return
    with Sandbox() as box:
        yield box


@dataclass(frozen=True)
class _Question:
    """What the program's process is asked for one test or one statement of a test."""

    test: int
    asked: tuple[tuple[Literal["value", "do"], str], ...]
    right: Returns | Check


@dataclass(frozen=True)
class _Plan:
    """A program's tests as jobs: one for each `Prints`, then one for everything else."""

    program: Program
    printing: tuple[int, ...]
    questions: tuple[_Question, ...]

    @staticmethod
    def of(program: Program) -> _Plan:
        if not program.tests:
            raise DataError(
                "a program has no tests", program.source[:80], "give at least one, or leave the program out"
            )
        printing = tuple(n for n, test in enumerate(program.tests) if isinstance(test, Prints))
        defined = names_in(program.source)
        questions: list[_Question] = []
        for n, test in enumerate(program.tests):
            if isinstance(test, Returns):
                questions.append(_Question(n, (("value", _call(test)),), test))
            elif isinstance(test, Asserts):
                found = checks(test.statements, test.entry_point, defined)
                questions += [_Question(n, _asked(check), check) for check in found]
        return _Plan(program, printing, tuple(questions))

    @property
    def jobs(self) -> list[Job]:
        source = self.program.source
        jobs = [Job(source, test.stdin) for test in self.program.tests if isinstance(test, Prints)]
        if self.questions:
            asked = tuple(pair for question in self.questions for pair in question.asked)
            jobs.append(Job(source, asked=asked, name="program"))
        return jobs


def _call(test: Returns) -> str:
    given = [literal(argument) for argument in test.arguments]
    given += [f"{name}={literal(value)}" for name, value in test.keywords.items()]
    return f"{test.function}({', '.join(given)})"


def _asked(check: Check) -> tuple[tuple[Literal["value", "do"], str], ...]:
    if not check.condition:
        return (("do", check.text),)
    return tuple(("value", question) for question in check.questions)


class _Trial:
    """A program's outcomes on their way to a result."""

    def __init__(self, plan: _Plan, outcomes: Sequence[Outcome]) -> None:
        self._plan = plan
        self._outcomes = list(outcomes)
        self._why: dict[int, str] = {}
        self._definitions: list[str] = []
        self._conditions: list[tuple[int, Check, str]] = []
        for test, outcome in zip(plan.printing, outcomes, strict=False):
            self._note(test, _why_not_printed(plan.program.tests[test], outcome))
        if plan.questions:
            self._compare(outcomes[-1])
        self.judge = self._judge()

    def _note(self, test: int, why: str) -> None:
        if why:
            self._why.setdefault(test, why)

    def _compare(self, outcome: Outcome) -> None:
        answers = iter(outcome.answers)
        missing = Answer(why=outcome.why or "the program ended before this test")
        for question in self._plan.questions:
            got = [next(answers, missing) for _ in question.asked]
            why = next((answer.why for answer in got if answer.why), "")
            right = question.right
            if why:
                self._note(question.test, why)
            elif isinstance(right, Returns):
                self._note(question.test, _why_not_equal(got[0].value, right))
            elif right.condition:
                self._leave_to_judge(question.test, right, got)

    def _leave_to_judge(self, test: int, check: Check, got: Sequence[Answer]) -> None:
        """A condition becomes a function of the values that the program gave."""
        name = f"_check_{len(self._conditions)}"
        names = ", ".join(f"_{number}" for number in range(len(got)))
        self._definitions.append(f"def {name}({names}):\n    return bool({check.condition})")
        self._conditions.append((test, check, f"{name}({', '.join(literal(answer.value) for answer in got)})"))

    def _judge(self) -> Job | None:
        if not self._conditions:
            return None
        source = "\n".join(["import math", *self._definitions])
        return Job(source, asked=tuple(("value", call) for _, _, call in self._conditions), name="judge")

    def hear(self, verdict: Outcome) -> None:
        """Take what the judge found about each condition."""
        answers = iter(verdict.answers)
        for test, check, call in self._conditions:
            answer = next(answers, Answer(why=verdict.why or "the condition could not be evaluated"))
            if answer.value is not True:
                got = call.partition("(")[2][:-1][:200]
                self._note(test, f"{check.text[:200]}: {answer.why or 'does not hold for ' + got}")

    def result(self) -> ProgramResult:
        """Everything together."""
        ended = next((outcome for outcome in self._outcomes if outcome.status != "done"), None)
        failures = tuple(Failure(test, why) for test, why in sorted(self._why.items()))
        status: ProgramStatus = "failed" if failures else "passed"
        if ended is not None and ended.status != "done":
            status = ended.status
        questions = self._plan.questions
        return ProgramResult(
            status,
            (ended.why if ended else "") or (failures[0].why if failures else ""),
            failures,
            passed=len(self._plan.program.tests) - len(failures),
            sealed=all(not isinstance(question.right, Check) or question.right.sealed for question in questions),
            seconds=sum(outcome.seconds for outcome in self._outcomes),
            cpu_s=sum(outcome.cpu_s for outcome in self._outcomes),
        )


def _why_not_printed(test: Test, outcome: Outcome) -> str:
    assert isinstance(test, Prints)
    if outcome.status != "done":
        return outcome.why
    found, right = _lines(outcome.stdout), _lines(test.stdout)
    if found == right:
        return ""
    n = next((n for n, (a, b) in enumerate(zip(found, right, strict=False)) if a != b), min(len(found), len(right)))
    seen, wanted = ([*lines, "(no more lines)"][min(n, len(lines))][:80] for lines in (found, right))
    return f"line {n + 1}: printed {seen!r}, not {wanted!r}"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _why_not_equal(found: object, test: Returns) -> str:
    if same(found, test.value, test.tolerance):
        return ""
    return f"{_call(test)[:100]} returned {repr(found)[:100]}, not {repr(test.value)[:100]}"
