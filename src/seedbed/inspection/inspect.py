"""Rows with evidence in, rows with a verdict and a certificate out: the parts of inspection joined."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special, stats

from seedbed.errors import DataError
from seedbed.estimate import Estimate, wilson
from seedbed.inspection.columns import Target, read_votes
from seedbed.inspection.correction import Correction, correct, family_votes
from seedbed.inspection.guarantees.binomial import exact_interval, labels_for
from seedbed.inspection.guarantees.certificate import hash_labels, hash_rows
from seedbed.inspection.guarantees.given import plan_given
from seedbed.inspection.guarantees.planning import Pilot
from seedbed.inspection.guarantees.selection import Selection, decide, order_rows
from seedbed.inspection.label_models.tempered import Tempered
from seedbed.inspection.votes import Floats, Ints, Voter, Votes
from seedbed.randomness import stream
from seedbed.rows import write_parquet, write_whole

METHOD = "fixed-sequence test of nested sets, labels of a uniform sample, exact, version 1"
SELECTION_SHARE = 0.25
"""Share of the labels that correct the ranking and choose the sets; the rest certify and are not looked at before."""
GUESSES = (-1.15, -0.32, 0.32, 1.15)
"""Middles of the four quarters of a normal law: how far off the fitted log-odds may be, in their own doubt."""
ODD_SAMPLE = 1e-4
"""p-value below which labels are not believed to be a uniform sample; true ones are refused twice in 10,000 times."""
MADE = ("p_good", "p_lo", "p_hi", "log_odds", "verdict")


@dataclass(frozen=True)
class Inspection:
    """What is held of every row, and what may be said of those that are kept."""

    rows: pl.DataFrame
    """The rows as given, with `p_good`, `p_lo`, `p_hi`, `log_odds` of being good, `verdict` and `nats.VOTER`."""
    is_certified: bool
    statement: str
    before: Estimate | None
    """Share of bad rows among all, from all labels; None without labels."""
    after: Estimate | None
    """Share of bad rows among the kept: the interval is one-sided and ends at the target; None if not certified."""
    voters: pl.DataFrame
    """A line each: how often it speaks, is right by the label model, is right by the labels, and its part in nats."""
    slices: pl.DataFrame
    """A line each, worst first: rows, kept, share of bad rows after shrinkage with its interval."""
    certificate: dict[str, Any]
    """What `certificate.json` holds: the same call on rows and labels with these hashes gives it again."""

    def write(self, folder: Path) -> None:
        """Write `inspected.parquet` and `certificate.json`."""
        write_parquet(self.rows, folder / "inspected.parquet")
        text = json.dumps(self.certificate, ensure_ascii=False, indent=1)
        write_whole(folder / "certificate.json", f"{text}\n".encode())


def inspect(
    rows: pl.DataFrame,
    evidence: Sequence[Voter],
    *,
    labels: Mapping[str, bool] | None = None,
    target: str = "defects <= 2% at 95%",
    slices: str | None = None,
    rng_seed: int = 0,
) -> Inspection:
    """Probability and verdict of every row, and the largest set of rows whose defect rate the labels certify.

    A quarter of the labels, drawn by `rng_seed`, corrects the label model and chooses the sets; the others certify.
    A row is kept if it is in the certified set or was labelled good, dropped if it was labelled bad or its whole
    interval lies below a half, and else somebody has to be asked.

    The labels must be of a uniform random sample of the rows, fixed before the rng seed is chosen. Labels that
    differ from the other rows in score or place are refused, but that is all that can be checked. Labels of a try that
    did not certify cannot certify a later one.

    Args:
        rows: A column `id`, unique, and the evidence columns: 1 good, 0 bad, empty an abstention.
        evidence: One voter for each evidence column, named as the column.
        labels: Id to whether a trusted reader found the row good; None ranks only.
        target: Such as "defects <= 2% at 95%".
        slices: Column by which rows differ in how good they are, such as who wrote them.
        rng_seed: Decides the split of the labels and the order of ties.

    Raises:
        ConfigError: The target or the evidence cannot be read.
        DataError: A column is missing or holds other values, ids are not unique, or a label's row is not there.
    """
    wanted = Target.read(target)
    ids = _ids(rows, slices)
    votes = read_votes(rows, evidence)
    known = _known(ids, labels or {})
    names, codes = _slices(rows, slices)
    model = Tempered().fit(votes, slices=codes)
    chosen, certifying = _split(known, rng_seed)
    belief = _correct(model, votes, {row: known[row] for row in chosen}, codes)
    odd = _odd_sample(model, known)
    found = None if odd else _select(belief, known, (chosen, certifying), wanted, rng_seed)
    verdicts = _verdicts(belief, known, found)
    is_certified = found is not None and found.is_certified
    kept = int((verdicts == "keep").sum())
    statement = _statement(wanted, found, (len(certifying), len(known), kept, len(ids)), odd)
    return Inspection(
        rows=_with_verdicts(rows, belief, verdicts, model, votes),
        is_certified=is_certified,
        statement=statement,
        before=_before(known, len(ids)),
        after=_after(found, wanted) if found is not None and is_certified else None,
        voters=_voters(model, votes, known),
        slices=_worst(belief, names, codes, verdicts),
        certificate={
            "statement": statement,
            "is_certified": is_certified,
            "method": METHOD,
            **asdict(wanted),
            "rng_seed": rng_seed,
            "evidence": [asdict(voter) for voter in evidence],
            "slices": slices,
            "n_rows": len(ids),
            "n_kept": kept,
            "labels_selection": sorted(ids[row] for row in chosen),
            "n_certification": len(certifying),
            "tests": [asdict(test) for test in found.tested] if found is not None else [],
            "rows_sha256": hash_rows(rows),
            "labels_sha256": hash_labels({key: not good for key, good in (labels or {}).items()}),
        },
    )


def _ids(rows: pl.DataFrame, slices: str | None) -> list[str]:
    if missing := [name for name in ("id", slices) if name and name not in rows.columns]:
        raise DataError("columns are not in the rows", f"{missing}; found {rows.columns}", "add or rename them")
    if taken := [name for name in rows.columns if name in MADE or name.startswith("nats.")]:
        raise DataError("the rows were inspected before", f"columns {taken}", "inspect the rows as they first were")
    ids: list[str] = rows["id"].cast(pl.String).to_list()
    if not ids or None in ids or len(set(ids)) < len(ids):
        seen = f"{len(ids)} rows, {len(set(ids))} different ids, {ids.count(None)} empty"  # type: ignore[arg-type]  # null
        raise DataError("each row needs an id of its own", seen, "number the rows in a column `id`")
    return ids


def _known(ids: list[str], labels: Mapping[str, bool]) -> dict[int, int]:
    """Row to 1 for good, 0 for bad, in row order."""
    place = {key: row for row, key in enumerate(ids)}
    if strange := [key for key in labels if key not in place]:
        seen = f"{len(strange)} of {len(labels)}, such as {strange[:3]}"
        raise DataError("labels belong to rows that are not in the data", seen, "give the rows the labels were made of")
    return dict(sorted((place[key], int(good)) for key, good in labels.items()))


def _slices(rows: pl.DataFrame, slices: str | None) -> tuple[list[str], Ints]:
    if slices is None:
        return ["all rows"], np.zeros(rows.height, dtype=np.int64)
    text = rows[slices].cast(pl.String).fill_null("(empty)").to_numpy().astype(str)
    names, codes = np.unique(text, return_inverse=True)
    return names.tolist(), codes.astype(np.int64)


def _split(known: Mapping[int, int], rng_seed: int) -> tuple[list[int], list[int]]:
    """Rows whose labels select, and rows whose labels certify."""
    shuffled = stream(rng_seed, "inspect", "split").permutation(np.array(list(known), dtype=np.int64)).tolist()
    cut = round(SELECTION_SHARE * len(shuffled))
    return shuffled[:cut], shuffled[cut:]


def _correct(model: Tempered, votes: Votes, known: Mapping[int, int], codes: Ints) -> Correction:
    said = votes.said.reshape(votes.n_rows, -1)
    families = [voter.family or voter.name for voter in votes.voters]
    features, names = family_votes(np.where(said == votes.n_classes, -1, said), families)
    log_odds = model.log_posterior_[:, 1] - model.log_posterior_[:, 0]
    return correct(log_odds, known, features=features, slices=codes, names=names)


def _odd_sample(model: Tempered, known: Mapping[int, int]) -> str:
    """In what the labelled rows differ from the others more than chance lets them; empty where nothing is seen."""
    read = np.zeros(len(model.log_posterior_), dtype=bool)
    read[list(known)] = True
    if not read.any() or read.all():
        return ""
    seen = {"their votes": model.log_posterior_[:, 1], "their place in the file": np.arange(len(read))}
    for name, exact in seen.items():
        values = np.round(exact, 9)  # rows with equal votes may differ in the last digit, and ties must stay ties
        if stats.ks_2samp(values[read], values[~read], method="asymp").pvalue < ODD_SAMPLE:
            return name
    return ""


def _select(
    belief: Correction, known: Mapping[int, int], split: tuple[list[int], list[int]], wanted: Target, rng_seed: int
) -> Selection | None:
    """The certified set; None where the labels could not certify whatever they said."""
    chosen, certifying = split
    if len(certifying) < labels_for(wanted.alpha, wanted.delta):
        return None
    pilot = Pilot(tuple(chosen), tuple(not known[row] for row in chosen))
    order = order_rows(-belief.log_odds, rng_seed, pilot)
    bad = _guesses(belief)[:, order]
    plan = plan_given(bad, len(certifying), wanted.alpha, wanted.delta)
    drawn = np.array(certifying, dtype=np.int64)
    return decide(plan, order, drawn, {row: not known[row] for row in certifying}, pilot)


def _guesses(belief: Correction) -> Floats:
    """(4, N) probability that each row is bad, if the fit is off by so much for all rows alike."""
    tiny = 1e-12
    low, high = (special.logit(np.clip(end, tiny, 1 - tiny)) for end in (belief.p_lo, belief.p_hi))
    spread = (high - low) / (2 * 1.96)
    return np.stack([special.expit(-(belief.log_odds + off * spread)) for off in GUESSES])


def _verdicts(belief: Correction, known: Mapping[int, int], found: Selection | None) -> NDArray[np.str_]:
    verdicts = np.where(belief.p_hi < 0.5, "drop", "ask")
    if found is not None and found.is_certified:
        verdicts[found.kept] = "keep"
    for row, good in known.items():
        verdicts[row] = "keep" if good else "drop"
    return verdicts


def _before(known: Mapping[int, int], n_rows: int) -> Estimate | None:
    return exact_interval(len(known) - sum(known.values()), len(known), n_rows=n_rows) if known else None


def _after(found: Selection, wanted: Target) -> Estimate:
    """The labels' share in the certified set, without those labelled bad; they chose the set, so it is flattering."""
    test = next(test for test in reversed(found.tested) if test.size == found.size)
    bad, n = sum(test.defects), sum(test.labels)
    value = (bad / n * test.size - bad) / max(1, test.size - bad)
    return Estimate(min(value, wanted.alpha), 0.0, wanted.alpha, n, "certified upper end")


def _statement(wanted: Target, found: Selection | None, counts: tuple[int, int, int, int], odd: str) -> str:
    certifying, labelled, kept, n_rows = counts
    rate, sure = f"{100 * wanted.alpha:g}%", f"{100 * (1 - wanted.delta):g}%"
    if found is not None and found.is_certified:
        return (
            f"Of the {kept:,} rows kept out of {n_rows:,}, at most {rate} are bad, with respect to the reader of the "
            f"labels; said at {sure} confidence, if the labelled rows are a uniform random sample."
        )
    least = math.ceil(labels_for(wanted.alpha, wanted.delta) / (1 - SELECTION_SHARE))
    if not labelled:
        return (
            "Nothing is certified: there are no human labels. The rows are ranked by how the voters agree, and voters "
            f"that err together look right. Defects <= {rate} at {sure} take {least:,} labels of rows drawn at random, "
            "or more."
        )
    if odd:
        return (
            f"Nothing is certified: the labelled rows differ from the others in {odd}, so they are no uniform random "
            "sample. Draw the rows to label at random from all rows."
        )
    reason = f"Nothing is certified: no set of rows with at most {rate} bad passed at {sure} confidence."
    if found is None:
        return f"{reason} {certifying:,} labels certify, of {labelled:,}; it takes {least:,} labels or more in all."
    if found.more_labels is None:
        best = f"the best {found.among:,} rows are estimated to be as bad as that"
        return f"{reason} No number of labels would do with this evidence: {best}."
    fresh = math.ceil(found.more_labels * n_rows / found.among / (1 - SELECTION_SHARE))
    if fresh > n_rows:
        return f"{reason} It would take more labels than there are rows; better evidence is needed."
    return f"{reason} It would take about {fresh:,} fresh labels of rows drawn at random from all; these are used up."


def _with_verdicts(
    rows: pl.DataFrame, belief: Correction, verdicts: NDArray[np.str_], model: Tempered, votes: Votes
) -> pl.DataFrame:
    made = (belief.p, belief.p_lo, belief.p_hi, belief.log_odds, verdicts.tolist())
    nats = _nats(model, votes)
    return rows.with_columns(
        *(pl.Series(name, values) for name, values in zip(MADE, made, strict=True)),
        *(pl.Series(f"nats.{voter.name}", nats[:, w]) for w, voter in enumerate(votes.voters)),
    )


def _nats(model: Tempered, votes: Votes) -> Floats:
    """(N, W) what each voter's word adds to the log-odds of the row being good, before the labels' correction."""
    towards = np.where(model.log_posterior_[:, 1] >= model.log_posterior_[:, 0], 1.0, -1.0)
    return np.asarray(model.nats(votes).reshape(votes.n_rows, -1) * towards[:, None])


def _voters(model: Tempered, votes: Votes, known: Mapping[int, int]) -> pl.DataFrame:
    said = votes.said.reshape(votes.n_rows, -1)
    read, truth = np.array(list(known), dtype=np.int64), np.array(list(known.values()), dtype=np.int64)
    good = np.exp(model.log_posterior_[:, 1])
    parts = np.abs(_nats(model, votes)).mean(axis=0)
    lines = []
    for w, voter in enumerate(votes.voters):
        spoke = said[:, w] < votes.n_classes
        held = np.where(said[:, w] == 1, good, 1 - good)
        heard = read[spoke[read]]
        hits = int((said[heard, w] == truth[spoke[read]]).sum())
        by_labels = wilson(hits, len(heard)) if len(heard) else None
        lines.append(
            {
                "voter": voter.name,
                "kind": voter.kind,
                "family": voter.family,
                "speaks": float(spoke.mean()),
                "right_by_model": float(held[spoke].mean()) if spoke.any() else None,
                "right_by_labels": by_labels.value if by_labels else None,
                "low": by_labels.low if by_labels else None,
                "high": by_labels.high if by_labels else None,
                "n_labels": len(heard),
                "nats": float(parts[w]),
            }
        )
    return pl.DataFrame(lines, infer_schema_length=None)


def _worst(belief: Correction, names: list[str], codes: Ints, verdicts: NDArray[np.str_]) -> pl.DataFrame:
    size = np.bincount(codes, minlength=len(names))
    bad, low, high = (np.bincount(codes, weights=1 - p) / size for p in (belief.p, belief.p_hi, belief.p_lo))
    kept = np.bincount(codes, weights=verdicts == "keep").astype(int)
    columns = {"slice": names, "rows": size, "kept": kept, "bad": bad, "low": low, "high": high}
    return pl.DataFrame(columns).sort("bad", "slice", descending=[True, False])
