"""The escape battery: every attack, at every level of isolation that this machine can build."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.verification.sandbox.attacks import AGAINST_THE_HOST, AGAINST_THE_KERNEL, BOMBS
from tests.verification.sandbox.hostile_world import world, written

import seedbed
from seedbed.verification.sandbox import LEVELS, Job, Limits, Outcome, Sandbox, available_levels

SMALL = Limits(cpu_s=1, wall_s=0.6, memory_mb=256, disk_mb=8, file_mb=4, output_kb=256)
ATTACKS = [*AGAINST_THE_HOST, *AGAINST_THE_KERNEL]


@pytest.fixture(scope="module", params=LEVELS)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if why_not := available_levels()[request.param]:
        pytest.skip(f"this machine cannot build {request.param}: {why_not}")
    with Sandbox(level=request.param, workers=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def attacked(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    with world(tmp_path_factory.mktemp("host")) as host:
        outcomes = box.run([Job(written(attack, host)) for attack in ATTACKS], Limits(wall_s=60))
        yield dict(zip(ATTACKS, outcomes, strict=True))
        assert Path(str(host["canary"])).read_text(encoding="utf-8") == "secret of the host"
        assert sorted(path.name for path in Path(str(host["folder"])).iterdir()) == ["canary", "unix"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_held(attacked: dict[str, Outcome], attack: str) -> None:
    outcome = attacked[attack]
    assert "ESCAPED" not in outcome.stdout
    assert "held" in outcome.stdout
    assert outcome.status == "done", outcome


def test_the_same_attacks_get_through_where_there_is_no_sandbox(tmp_path: Path) -> None:
    with world(tmp_path) as host:
        for attack in AGAINST_THE_HOST:
            command = [sys.executable, "-S", "-c", written(attack, host)]
            elsewhere = tmp_path / attack
            elsewhere.mkdir()
            done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False, process_group=0)
            assert "ESCAPED" in done.stdout, (attack, done)
            Path(str(host["canary"])).write_text("again", encoding="utf-8")


@pytest.fixture(scope="module")
def bombed(box: Sandbox) -> dict[str, Outcome]:
    with Sandbox(level=box.level, workers=8) as many:
        return dict(zip(BOMBS, many.run([Job(source) for source in BOMBS.values()], SMALL), strict=True))


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_stopped(bombed: dict[str, Outcome], bomb: str) -> None:
    outcome = bombed[bomb]
    assert outcome.status in ("timeout", "memory", "killed", "error"), outcome
    assert "ESCAPED" not in outcome.stdout
    assert outcome.why
    assert outcome.peak_mb < SMALL.memory_mb
    assert outcome.seconds < SMALL.wall_s + 4
    assert len(outcome.stdout) + len(outcome.stderr) <= SMALL.output_kb * 1024


def test_processor_time_is_limited_whatever_the_wall_time(box: Sandbox) -> None:
    outcome = box.run([Job(BOMBS["deaf_loop"])], Limits(cpu_s=1, wall_s=60))[0]
    assert (outcome.status, outcome.why) == ("timeout", "used more than 1 s of processor time")


@pytest.mark.parametrize("bomb", ["crash", "suicide", "many_small_files", "memory", "output"])
def test_the_program_after_a_bomb_runs_in_an_empty_folder(box: Sandbox, bomb: str) -> None:
    after = box.run([Job(BOMBS[bomb]), Job("import os\nprint(os.listdir('.'))")], SMALL)[1]
    assert (after.status, after.stdout) == ("done", "[]\n")


def test_a_program_leaves_nothing_behind_for_the_next(box: Sandbox) -> None:
    leave = (
        "import builtins, json, os, sys\nopen('left', 'w').write('x')\nos.mkdir('folder')\nsys.modules['os'] = None\n"
    )
    find = "import json, os\nprint(os.listdir('.'), json.loads('[1]'), os.environ.get('LEFT'))"
    patch = "os.environ['LEFT'] = '1'\njson.loads = builtins.print = None\n"
    outcomes = box.run([Job(leave + patch), Job(find)])
    assert [outcome.stdout for outcome in outcomes] == ["", "[] [1] None\n"]


HIDING = {
    "deep folders": """
import os
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
""",
    "closed folders": "import os\nos.mkdir('a')\nopen('a/f', 'w')\nos.umask(0o777)\nos.mkdir('a/b')\nos.mkdir('c')\n",
    "odd names": "import os\nopen('\\n', 'w')\nos.mkdir('.moved-0')\nos.mkdir('.moved-0/x')\nos.symlink('/', 'root')\n",
}


@pytest.mark.parametrize("how", HIDING)
def test_no_file_can_be_hidden_from_the_clearing_up(box: Sandbox, how: str) -> None:
    _, after, again = box.run([Job(HIDING[how]), Job("import os\nprint(os.listdir('.'))"), Job("print(1)")])
    assert (after.stdout, again.stdout) == ("[]\n", "1\n")


def test_a_program_finds_nothing_of_the_one_before_in_its_memory(box: Sandbox) -> None:
    first = "word = 'confi' + 'dential'\nprint(word * 3)\nprint(input())"
    search = """
import gc
word = "laitned" + "ifnoc"
word = word[::-1].encode()
held = (thing for thing in gc.get_objects() if isinstance(thing, (dict, list, tuple)) and thing is not globals())
found = sum(word in repr(thing).encode() for thing in held if len(thing) < 1000)
print(found)
"""
    outcomes = box.run([Job(first, "confidential"), Job(search)])
    assert outcomes[0].stdout.count("confidential") == 4
    assert outcomes[1].stdout == "0\n"


def test_no_process_is_left_when_a_program_has_ended(box: Sandbox) -> None:
    before = children_of(os.getpid())
    box.run([Job(BOMBS["threads"]), Job(BOMBS["forks"])], replace(SMALL, wall_s=0.2))
    assert children_of(os.getpid()) == before


def children_of(pid: int) -> set[int]:
    """All processes beneath one, as the host sees them."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text(encoding="utf-8").split()):
            found |= {child} | children_of(child)
    return found


def test_the_zygotes_end_with_the_sandbox() -> None:
    before = children_of(os.getpid())
    for level in [level for level, why_not in available_levels().items() if not why_not]:
        with Sandbox(level=level, workers=2):
            assert len(children_of(os.getpid()) - before) >= 2
        assert children_of(os.getpid()) == before


OTHERS_PYTHON = next(filter(None, map(shutil.which, ("/usr/bin/python3", "/usr/local/bin/python3"))), None)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="the tests already run as an ordinary user")
@pytest.mark.skipif(OTHERS_PYTHON is None, reason="there is no interpreter that another user can read")
def test_an_ordinary_user_is_protected_as_well_as_root(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("other")
    for parent in (place, place.parent, place.parent.parent):
        parent.chmod(0o755)
    sources, tests = Path(seedbed.__file__).parent, Path(__file__).parent
    for name in ("__init__.py", "errors.py", "verification/__init__.py", "verification/sandbox"):
        target = place / "seedbed" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (sources / name).is_dir() else shutil.copy
        copy(sources / name, target)
    shutil.copytree(tests, place / "tests" / "verification" / "sandbox", ignore=shutil.ignore_patterns("test_*"))
    (place / "attacked").mkdir(mode=0o777)
    (place / "attacked").chmod(0o777)
    os.chown(place / "attacked", 65534, 65534)
    script = "tests.verification.sandbox.hostile_world"
    done = subprocess.run(
        [str(OTHERS_PYTHON), "-m", script, str(place / "attacked")],
        cwd=place,
        env={"PYTHONPATH": str(place), "PATH": os.environ["PATH"], "HOME": "/"},
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert any("not available" not in results for results in seen.values()), seen
    for results in seen.values():
        assert {name: text for name, text in results.items() if "ESCAPED" in text} == {}
        if "not available" not in results:
            assert {name: text for name, text in results.items() if not text.startswith("done")} == {}
