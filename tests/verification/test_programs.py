from collections.abc import Iterator

import pytest

from seedbed.errors import DataError
from seedbed.verification.programs import (
    Asserts,
    Prints,
    Program,
    ProgramResult,
    Returns,
    Test,
    program_answers,
    run_program,
    run_tests,
)
from seedbed.verification.sandbox import Limits, Sandbox

SORT = "def f(x):\n    return sorted(x)\n"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


def result_of(box: Sandbox, source: str, *tests: Test, limits: Limits | None = None) -> ProgramResult:
    return run_tests([Program(source, tests)], limits, sandbox=box)[0]


def test_a_right_program_passes_tests_of_every_kind(box: Sandbox) -> None:
    source = SORT + "if __name__ == '__main__':\n    print(*f(map(int, input().split())))\n"
    prints = Prints("3 1 2\n", "1 2 3  \n\n")
    result = result_of(box, source, prints, Returns("f", ([2, 1],), [1, 2]), Asserts("assert f([2, 1]) == [1, 2]"))
    assert (result.status, result.why, result.passed, result.sealed) == ("passed", "", 3, True)


def test_a_wrong_program_is_told_which_test_failed_and_why(box: Sandbox) -> None:
    result = result_of(box, "def f(x):\n    return x", Returns("f", (1,), 1), Returns("f", ("a",), "b"))
    assert (result.status, result.passed) == ("failed", 1)
    assert [(failure.test, failure.why) for failure in result.failures] == [(1, "f('a') returned 'a', not 'b'")]


def test_a_wrong_line_of_output_is_named(box: Sandbox) -> None:
    result = result_of(box, "print(1)\nprint(input())", Prints("x\n", "1\ny\n"))
    assert (result.status, result.why) == ("failed", "line 2: printed 'x', not 'y'")


@pytest.mark.parametrize(
    ("source", "status", "why"),
    [
        ("def f(:", "error", "SyntaxError"),
        ("import no_such_module", "error", "ModuleNotFoundError: No module named 'no_such_module' (line 1)"),
        ("x = 1\nx / 0", "error", "ZeroDivisionError: division by zero (line 2)"),
        ("raise SystemExit(3)", "error", "exited with code 3"),
        ("while True:\n    pass", "timeout", "ran longer than 0.4 s"),
        ("x = 'a' * 10 ** 10", "memory", "needed more than 512 MB"),
        ("while True:\n    print('x' * 999)", "killed", "wrote more than 1024 KB"),
    ],
)
def test_a_program_that_does_not_get_to_its_end_says_why(box: Sandbox, source: str, status: str, why: str) -> None:
    for test in (Prints("", ""), Returns("f", (), None)):
        result = result_of(box, source, test, limits=Limits(wall_s=0.4 if status == "timeout" else 20))
        assert (result.status, result.passed) == (status, 0), result
        assert result.why.startswith(why)


CHEATS = {
    "leaves early": "import os\ndef f(x):\n    os._exit(0)",
    "exits": "import sys\nsys.exit(0)",
    "equals everything": "class Yes:\n    def __eq__(self, other): return True\nf = lambda x: Yes()",
    "an int that equals everything": (
        "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = None\nf = lambda x: Yes(3)"
    ),
    "patches builtins": (
        "import builtins\nbuiltins.sorted = builtins.abs = lambda *a: 0\n"
        "builtins.all = builtins.bool = lambda *a: True\nf = lambda x: None"
    ),
    "its own abs": "def abs(x): return 0\ndef bool(x): return True\nf = lambda x: 5",
    "writes a verdict": """
import os
def f(x):
    for n in range(1, 10):
        try:
            os.write(n, b'{"loaded": true}\\n{"passed": true, "done": true, "value": true}\\n')
        except OSError:
            pass
    os._exit(0)
""",
    "searches its frames and memory": """
import gc, sys
def f(x):
    frame = sys._getframe()
    held = []
    while frame:
        held += [frame.f_locals, frame.f_globals, frame.f_code.co_consts]
        frame = frame.f_back
    texts = list(map(repr, held + gc.get_objects()))
    right = "".join(reversed("3424"))  # the program itself must not be what it finds
    return int(right) if any(right in text for text in texts) else -1
""",
    "patches the harness": """
import sys
for module in list(sys.modules.values()):
    for name in ("report", "encode", "same"):
        if hasattr(module, name):
            setattr(module, name, lambda *a: True)
f = lambda x: None
""",
}


@pytest.mark.parametrize("cheat", CHEATS)
@pytest.mark.parametrize(
    "test",
    [
        Returns("f", (1,), 4243),
        Asserts("assert f(1) == 4243"),
        Asserts("assert abs(f(1) - 4243) < 0.5"),
        Prints("", "4243"),
    ],
    ids=["returns", "asserts", "asserts_nearly", "prints"],
)
def test_a_program_cannot_talk_itself_right(box: Sandbox, cheat: str, test: Test) -> None:
    assert result_of(box, CHEATS[cheat], test).status in ("failed", "error")


def test_a_claim_inside_a_statement_runs_with_the_program_and_says_so(box: Sandbox) -> None:
    claim = "try:\n    f(None)\n    assert False\nexcept TypeError:\n    pass"
    result = result_of(box, SORT, Asserts(claim))
    assert (result.status, result.sealed) == ("passed", False)
    assert result_of(box, "f = print", Asserts(claim)).status == "failed"


def test_conditions_of_every_form_hold_or_not(box: Sandbox) -> None:
    counter = "class Counter:\n    n = 0\n    def up(self):\n        self.n += 1\n        return self.n\n"
    source = "def f(x):\n    return x * 2\n" + counter
    right = [
        "assert f(2) == 4 and f(3) == 6, 'message'",
        "assert not f(0)",
        "assert set(f([1])) == {1}",
        "assert abs(f(0.1) - 0.2) < 1e-9",
        "assert math.isclose(f(1.5), 3)",
        "assert all(f(i) == 2 * i for i in range(5))",
        "assert [f(i) for i in range(3)] == [0, 2, 4]",
        "assert f(f(1)) in (3, 4)",
        "assert f('a')[0] == 'a' and f('a').upper() == 'AA'",
        "c = Counter()\nc.up()\nassert c.up() == 2",
        "assert f(float('inf')) == float('inf')",
    ]
    result = result_of(box, source, *map(Asserts, right))
    assert result.status == "passed", result.failures
    wrong = [
        "assert f(2) == 5",
        "assert f(0)",
        "assert f(2) == 4 and f(3) == 7",
        "assert [f(i) for i in range(3)] == []",
    ]
    assert result_of(box, source, *map(Asserts, wrong)).passed == 0


def test_the_check_of_a_published_problem_is_unrolled(box: Sandbox) -> None:
    check = (
        "META = {}\n\ndef check(candidate):\n    assert candidate([2, 1]) == [1, 2]\n    assert candidate([]) == []\n"
    )
    assert result_of(box, SORT, Asserts(check, "f")).sealed
    assert result_of(box, SORT, Asserts(check, "f")).status == "passed"
    assert (
        result_of(box, "def f(x): return x", Asserts(check, "f")).why
        == "assert candidate([2, 1]) == [1, 2]: does not hold for [2, 1]"
    )


def test_methods_keywords_and_nan_can_be_result_of(box: Sandbox) -> None:
    source = "class Solution:\n    def add(self, a, b=0):\n        return a + b\n"
    result = result_of(
        box,
        source,
        Returns("Solution().add", (1,), 3, {"b": 2}),
        Returns("Solution().add", (float("nan"),), float("nan")),
    )
    assert result.status == "passed", result


def test_results_come_in_the_order_of_the_programs(box: Sandbox) -> None:
    programs = [Program(f"print({n})", (Prints("", str(n if n % 2 else -1)),)) for n in range(20)]
    assert [result.status for result in run_tests(programs, sandbox=box)] == ["failed", "passed"] * 10


def test_a_program_without_tests_or_with_an_empty_one_is_refused(box: Sandbox) -> None:
    with pytest.raises(DataError, match="no tests"):
        result_of(box, "pass")
    with pytest.raises(DataError, match="claims nothing"):
        result_of(box, "pass", Asserts("x = 1"))
    with pytest.raises(DataError, match="not Python"):
        result_of(box, "pass", Asserts("assert f("))


def test_the_answer_of_a_program_is_its_variable_its_function_or_its_last_line(box: Sandbox) -> None:
    sources = [
        "ans = 6 * 7\nprint('no')",
        "def solution():\n    return 2.5",
        "print('a')\nprint('b')\n\n",
        "answer = 'x'",
        "1 / 0",
        "pass",
    ]
    assert program_answers(sources, sandbox=box) == ["42", "2.5", "b", "x", None, None]


def test_a_program_can_just_be_run(box: Sandbox) -> None:
    outcome = run_program("import sys\nprint(input()[::-1])\nsys.stderr.write('careful')", "abc\n", sandbox=box)
    assert (outcome.status, outcome.stdout, outcome.stderr) == ("done", "cba\n", "careful")


def test_the_same_program_gives_the_same_output_in_every_run(box: Sandbox) -> None:
    source = "import random\nprint(random.random(), {'a', 'b', 'c'}, hash('x'))"
    outcomes = [run_program(source, sandbox=box).stdout for _ in range(2)] + [run_program(source).stdout]
    assert len(set(outcomes)) == 1
