"""What became of everything asked for, who looked at gold, and what it cost: the parts must add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seedbed.report.charts import legend, parts_bar
from seedbed.report.html import Content, Markup, tag
from seedbed.report.page import Line, table
from seedbed.report.words import count, several, usd

Account = Mapping[str, Any]
"""requested, accepted, rejected by reason, failed by class, pending; see `seedbed.rows.account`."""

STATUS_SLOTS = {"accepted": 3, "rejected": 2, "failed": 5, "pending": 7}


def parts(account: Account) -> dict[str, int]:
    """How many rows ended in each status."""
    sums = {status: sum(account[status].values()) for status in ("rejected", "failed")}
    return {"accepted": account["accepted"], **sums, "pending": account["pending"]}


def adds_up(account: Account) -> bool:
    """The identity: requested = accepted + rejected + failed + pending."""
    return bool(account["requested"] == sum(parts(account).values()))


def makes(accounts: Iterable[Account], total: Account) -> bool:
    """Every account's identity holds, and together they make the total, status by status."""
    given = [*accounts]
    sums: Counter[str] = Counter()
    for one in given:
        sums.update({"requested": one["requested"], **parts(one)})
    wanted = {"requested": total["requested"], **parts(total)}
    return all(map(adds_up, (*given, total))) and all(sums[name] == number for name, number in wanted.items())


def identity(account: Account) -> Markup:
    """The identity in words and numbers."""
    said = [f"{number:,} {status}" for status, number in parts(account).items()]
    end = "The parts add up." if adds_up(account) else "The parts do not add up: this is a fault of the program."
    return tag(
        "p",
        tag("b", f"{account['requested']:,} rows requested"),
        " = " + " + ".join(said) + ". " + end,
        class_="identity",
    )


def reasons(found: Mapping[str, int]) -> Content:
    """A count with its reasons under it."""
    if not found:
        return "0"
    return [count(sum(found.values())), tag("small", "; ".join(f"{why} {n:,}" for why, n in found.items()))]


def account_line(name: Content, account: Account, *more: Content, class_: str | None = None) -> Line:
    """A line of an accounting table."""
    shares = [(status, number, STATUS_SLOTS[status]) for status, number in parts(account).items()]
    cells = [account["requested"], account["accepted"], reasons(account["rejected"]), reasons(account["failed"])]
    return Line([name, *more, *cells, account["pending"], parts_bar(shares)], class_)


ACCOUNT_HEAD = ("requested", "accepted", "rejected", "failed", "pending", "share")


def account_legend() -> Markup:
    """What the bars of an accounting table mean."""
    return legend(STATUS_SLOTS.items())


def steps_table(steps: Sequence[Mapping[str, Any]], accounts: Mapping[str, Account], total: Account) -> Markup:
    """What became in the end of the rows that each step asked for, and in sum."""
    lines = []
    before = 0
    for step in steps:
        requests, before = step["spend"]["requests"] - before, step["spend"]["requests"]
        name = tag("span", step["name"], class_="num")
        if found := accounts.get(step["name"]):
            lines.append(account_line(name, found, count(step["round"]), count(requests)))
        elif requests or step["verb"] in ("verify", "deduplicate", "use_gold", "curate"):
            said = [name, tag("small", _without_rows(step))]
            lines.append(Line([said, count(step["round"]), count(requests), *[""] * len(ACCOUNT_HEAD)]))
    return table(
        "What became in the end of the rows that each step asked for",
        ("step", "round", "requests", *ACCOUNT_HEAD),
        lines,
        last=account_line("all steps", total, "", count(before)),
    )


def _without_rows(step: Mapping[str, Any]) -> str:
    if "checked" in step:
        rejected = step.get("near_copies", step.get("disagreed", 0))
        return f"looked at {several(step['checked'], 'row')}, rejected {rejected}"
    if step["verb"] == "use_gold":
        return f"added {several(step['asked']['accepted'], 'gold row')}"
    return "asked for no rows"


def reads_table(reads: Sequence[Mapping[str, Any]]) -> Markup:
    """Every reading of gold, by what it was for; openings of the test part come first and stand out."""
    grouped: dict[tuple[str, str, int], Counter[str]] = {}
    for read in reads:
        key = str(read["split"]), str(read["why"]), int(read.get("rows", 0))
        grouped.setdefault(key, Counter())[str(read.get("step") or "–")] += 1
    order = {"test": 0, "select": 1, "steer": 2}
    lines = []
    for (split, why, rows), steps in sorted(grouped.items(), key=lambda one: order.get(one[0][0], 3)):
        said = f"{why} (texts only, no answers)" if split == "test" and why == "leak check" else why
        where = ", ".join(step if times == 1 else f"{step} ({times} times)" for step, times in steps.items())
        lines.append(
            Line([split, said, where, count(rows), count(steps.total())], "marked" if split == "test" else None)
        )
    return table("Every reading of gold", ("part", "why", "steps", "rows", "times read"), lines, text=(1, 2))


def reads_summary(reads: Sequence[Mapping[str, Any]]) -> str:
    """How often the sealed part was opened, in words."""
    opened = Counter(str(read["why"]) for read in reads if str(read["split"]) == "test")
    checks = opened.pop("leak check", 0)
    if not opened and not checks:
        return "The log holds no opening of the test part."
    said = " and ".join(f"{several(times, 'time')} for “{why}”" for why, times in opened.items())
    text = (
        f"The sealed test part was opened {said}"
        if said
        else "The sealed test part was never opened to score a student"
    )
    if checks:
        text += (
            f"; its texts, not its answers, were read {several(checks, 'time')} to find and reject copies of test rows"
        )
    return text + "."


def spend_facts(spend: Mapping[str, Any], *, is_simulated: bool) -> list[tuple[str, Content]]:
    """What was used and what was paid, as far as it is known."""
    money = "simulated usd" if is_simulated else "usd"
    owned, doubt = spend["requests"] - spend["sent"], spend["in_doubt"]
    found: list[tuple[str, Content]] = [
        (
            "requests",
            f"{count(spend['requests'])} used: {count(spend['sent'])} sent by this run, {count(owned)} already owned",
        ),
        ("tokens", f"{count(spend['tokens_in'])} in, {count(spend['tokens_out'])} out"),
        ("price", f"{usd(spend['usd'])} {money} for all of them, {usd(spend['paid_usd'])} {money} paid by this run"),
    ]
    if spend["unknown_price"]:
        found.append(("without a known price", several(spend["unknown_price"], "request")))
    said = "none: no process ended between asking and recording the answer"
    if doubt:
        most = f"at most {usd(spend['in_doubt_usd'])} {money}"
        said = f"{several(doubt, 'answer')} never recorded because a process ended; {most}"
    return [*found, ("in doubt", said)]
