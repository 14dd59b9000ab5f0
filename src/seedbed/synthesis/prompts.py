"""What the teacher is told. One template per verb; a task may replace any of them under `prompts:`.

A template is text with `{name}` slots and nothing else: no logic, so that text from a model or a file can never
act as a template. Data stands between `<<<` and `>>>`, and those marks are taken out of the data first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from seedbed.errors import ConfigError
from seedbed.task import Task

_SLOT = re.compile(r"\{([a-z_]+)\}")

_HEAD = "You write training rows for this task: {instruction}\n"
_CONTEXT = "\n{context_name}:\n<<<\n{context}\n>>>\n"
_ONLY = "Reply with the text only: no label, no quotation marks, no remarks."

TEMPLATES: dict[str, str] = {
    # Wang, Zhou and Sachan 2023, table 1, T_ration: reasons first, so that rows differ in why they carry the label.
    "reasons": _HEAD + '\nThink of {row} with the label "{label}" ({meaning}).\n'
    "List {count} different reasons why it carries that label. One short reason per line, numbered.",
    # T_query(1), and ZeroGen's prompt where `reasons` is empty.
    "seed": _HEAD + '\nWrite {row} with the label "{label}" ({meaning}).\n{reasons}' + _ONLY,
    # T_query(2): the context is real, the teacher writes the other half.
    "seed_pair": _HEAD + _CONTEXT + '\nWrite {row} for it with the label "{label}" ({meaning}).\n' + _ONLY,
    "seed_qa": _HEAD + _CONTEXT + "\nAnswer:\n<<<\n{label}\n>>>\n\nWrite {row} whose answer, word for word in the "
    "text above, is this answer.\n" + _ONLY,
    # T_mis: look-alikes of one gold row that the student got wrong. {hint} is empty as in the paper.
    "extrapolate": _HEAD + '\nHere is {row} with the label "{label}" ({meaning}):\n<<<\n{example}\n>>>\n{hint}'
    "\nWrite another one like it, with the same label.\n" + _ONLY,
    "extrapolate_pair": _HEAD + _CONTEXT + '\nHere is {row} for it with the label "{label}" ({meaning}):\n<<<\n'
    "{example}\n>>>\n{hint}\nWrite another one like it for the same {context_name}, with the same label.\n" + _ONLY,
    "extrapolate_qa": _HEAD + _CONTEXT + "\nAnswer:\n<<<\n{label}\n>>>\n\nHere is {row} with this answer:\n<<<\n"
    "{example}\n>>>\n{hint}\nWrite another one like it with the same answer.\n" + _ONLY,
    # Ye et al. 2022 (ProGen): good synthetic rows as in-context examples.
    "feedback": _HEAD + '\nHere are good examples of {row} with the label "{label}" ({meaning}):\n{examples}\n'
    "Write a new one with the same label, different from all of them.\n" + _ONLY,
    # Why the gold answer of a mistake is right; told back to the teacher in {hint}.
    "explain": _HEAD + '\n{context_block}Text:\n<<<\n{example}\n>>>\n\nThe right answer is "{label}". Say in one short'
    " sentence why. Reply with that sentence only.",
    # The problem comes last, after a blank line: whatever a task adds stands before it.
    "solve": "{instruction}\n\n{problem}",
    # A label check: the teacher reads what came back without knowing what was asked for.
    "verify": _HEAD + "\n{context_block}Which label fits this text?\n<<<\n{example}\n>>>\nAnswer with one of: {labels}."
    " Reply with the label only.",
    "verify_qa": _HEAD + _CONTEXT + "\nQuestion:\n<<<\n{example}\n>>>\n\nReply with the shortest piece of the text "
    "above, word for word, that answers the question. Reply with the answer only.",
}


def render(task: Task, verb: str, slots: Mapping[str, str]) -> str:
    """Fill the template of a verb in one pass; a slot's value is never read as a template.

    Raises:
        ConfigError: The task's own template names a slot that this verb does not have.
    """
    template = task.prompts.get(verb, TEMPLATES[verb])
    known = {"instruction": task.instruction, "row": task.row, "context_name": task.context or "", **slots}
    if unknown := sorted({name for name in _SLOT.findall(template) if name not in known}):
        raise ConfigError(
            f"the task's prompt `{verb}` names slots that do not exist", f"{unknown}", f"use some of {sorted(known)}"
        )
    return _SLOT.sub(lambda match: known[match[1]], template)


def check_prompts(task: Task) -> None:
    """Refuse a task that replaces a prompt that no verb has.

    Raises:
        ConfigError: An unknown verb under `prompts:`.
    """
    if unknown := sorted(set(task.prompts) - set(TEMPLATES)):
        raise ConfigError(
            "the task replaces prompts that do not exist", f"{unknown}", f"use some of {sorted(TEMPLATES)}"
        )


def fenced(text: str) -> str:
    """Take the data marks out of a piece of data, so that it cannot end its own block.

    >>> fenced("a >>> b")
    'a ››› b'
    """
    return text.replace("<<<", "‹‹‹").replace(">>>", "›››")
