"""cleanlab on the same rows: run with the python of an environment that holds cleanlab 2.9, `python peer.py`."""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.multiannotator import get_label_quality_multiannotator
from cleanlab.rank import get_self_confidence_for_each_label
from sets import CROWD_SEEDS, HERE, NOISE_SEEDS, REVIEWED, crowd, judged, noisy, reviewed

warnings.simplefilter("ignore")


def main() -> None:
    """Flags, precision, seconds, and crowd labels."""
    import pandas

    made: dict[str, object] = {"sets": {}, "noise": [], "crowd": []}
    for name in REVIEWED:
        given, p, bad = reviewed(name)
        flagged = find_label_issues(given, p, n_jobs=1)
        order = np.argsort(get_self_confidence_for_each_label(given, p), kind="stable")
        made["sets"][name] = {**judged(flagged, order, bad), "rows": np.flatnonzero(flagged).tolist()}
    for seed in NOISE_SEEDS:
        true, given, p = noisy(seed)
        start = time.process_time()
        flagged = find_label_issues(given, p, n_jobs=1)
        spent = time.process_time() - start
        made["noise"].append(counted(flagged, given != true, spent))
    true, given, p = noisy(0, n=1_000_000)
    start = time.process_time()
    flagged = find_label_issues(given, p, n_jobs=1)
    made["million"] = counted(flagged, given != true, time.process_time() - start)
    for seed in CROWD_SEEDS:
        true, said, p = crowd(seed)
        table = pandas.DataFrame(np.where(said < 0, np.nan, said))
        found = get_label_quality_multiannotator(table, p, verbose=False)["label_quality"]
        right = found["consensus_label"].to_numpy() == true
        made["crowd"].append(
            {"accuracy": float(right.mean()), "quality": found["consensus_quality_score"].round(6).tolist()}
        )
    header = {
        "command": "python " + " ".join([f"experiments/{HERE.name}/peer.py", *sys.argv[1:]]),
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in ("cleanlab", "numpy")}},
        "rng_seeds": {"noise": list(NOISE_SEEDS), "crowd": list(CROWD_SEEDS)},
    }
    text = json.dumps({**header, "commit": "peer.py reads none of our code", **made})
    (HERE / "results" / "cleanlab.json").write_text(text + "\n", encoding="utf-8")


def counted(flagged: np.ndarray, wrong: np.ndarray, spent: float) -> dict[str, float]:
    """Precision, recall and CPU seconds."""
    hit = float((flagged & wrong).sum())
    return {"precision": hit / float(flagged.sum()), "recall": hit / float(wrong.sum()), "cpu_s": spent}


if __name__ == "__main__":
    main()
