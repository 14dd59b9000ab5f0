"""Synthesis step by step (Wang, Zhou and Sachan 2023, arXiv:2310.13671) in one file, with no abstraction, for readers.

A teacher writes seed rows. A student learns from them and is tried on 200 gold rows. For each mistake the teacher
writes look-alikes. Repeat. Beside it, a student whose teacher wrote as many plain rows instead.

The teacher here is a simulation in a known world, so this runs offline and costs nothing; put the address of any
OpenAI-compatible endpoint in its place. What a real run needs on top (a ledger that pays for nothing twice, leak
checks, intervals, baselines at equal budget) is what the rest of seedbed is for.

    python examples/s3_flat.py
"""

import random

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from seedbed.models import open_model
from seedbed.models.worlds import open_world
from seedbed.parsing import bare_text, is_refusal, numbered_list
from seedbed.request import Reply, Request

LABELS = {"positive": "the writer was content", "negative": "the writer was not content"}
ROUNDS, SEED_ROWS, ADDED_ROWS = 2, 1200, 400
REASONS, REASONS_PER_ROW = 10, 2

dice = random.Random(0)
teacher = open_model("sim:reviews")

gold = open_world("reviews").gold(1400, rng_seed=0).rows()
steer, test = gold[:200], gold[200:]  # mistakes come from `steer`; `test` is only looked at to print


def ask(prompts):
    """One text per prompt, or None where the teacher refused, failed or said nothing."""
    requests = [Request(messages=(("user", prompt),), draw=draw) for draw, prompt in enumerate(prompts)]
    texts = [bare_text(reply.text) if isinstance(reply, Reply) else None for reply in teacher.generate(iter(requests))]
    return [None if text is None or is_refusal(text) else text for text in texts]


def rows(prompts, labels):
    """(text, label) for every prompt that was answered."""
    return [(text, label) for text, label in zip(ask(prompts), labels, strict=True) if text]


def seed_rows(n):
    """Explain, then generate: each prompt carries two of the reasons the teacher itself gave for a label."""
    asked = [
        f'Think of a review with the label "{label}" ({meaning}).\n'
        f"List {REASONS} different reasons why it carries that label. One short reason per line, numbered."
        for label, meaning in LABELS.items()
    ]
    reasons = dict(zip(LABELS, map(numbered_list, ask(asked)), strict=True))
    labels = [dice.choice(list(LABELS)) for _ in range(n)]
    prompts = [
        f'Write a review with the label "{label}" ({LABELS[label]}).\n'
        f"It rests on: {'; '.join(dice.sample(reasons[label], REASONS_PER_ROW))}\nReply with the text only."
        for label in labels
    ]
    return rows(prompts, labels)


def look_alikes(mistakes, n):
    """The extrapolation prompt shows the text and its right label, and nothing else."""
    chosen = [mistakes[number % len(mistakes)] for number in range(n)]
    prompts = [
        f'Here is a review with the label "{label}" ({LABELS[label]}):\n<<<\n{text}\n>>>\n'
        "Write another one like it, with the same label. Reply with the text only."
        for text, label in chosen
    ]
    return rows(prompts, [label for _, label in chosen])


def train(data):
    """A fresh student, never a warm start: word and character TF-IDF under a logistic regression."""
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
    )
    student = make_pipeline(features, LogisticRegression(C=3.0, max_iter=1000))
    return student.fit([text for text, _ in data], [label for _, label in data])


def mistakes_of(student, data):
    """The rows whose label the student does not find."""
    found = student.predict([text for text, _ in data])
    return [row for row, label in zip(data, found, strict=True) if row[1] != label]


def report(name, data, student):
    """One line of the result."""
    right = 1 - len(mistakes_of(student, test)) / len(test)
    print(f"{name:<22}{len(data):>6} rows   accuracy on {len(test)} test rows {100 * right:.1f} %")


def main():
    """The loop."""
    data = seed_rows(SEED_ROWS)
    student = train(data)
    report("seed rows", data, student)
    for number in range(1, ROUNDS + 1):
        mistakes = mistakes_of(student, steer)
        if not mistakes:
            break
        data += look_alikes(mistakes, ADDED_ROWS)
        student = train(data)
        report(f"round {number}, {len(mistakes)} mistakes", data, student)
    plain = seed_rows(SEED_ROWS + ROUNDS * ADDED_ROWS)
    report("as many plain rows", plain, train(plain))
    report("the steering gold", steer, train(steer))


if __name__ == "__main__":
    main()
