"""Writing token by token, in any company, is the same as reading the finished text at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.pocket.tiny_llama import write_llama

from seedbed.pocket.cache import Batch, Bunch, read
from seedbed.pocket.llama import Floats, Net, Room

PROMPTS = [np.random.default_rng(number).integers(0, 40, 5 + 9 * number).tolist() for number in range(4)]
TAIL = np.random.default_rng(9).integers(0, 40, (12, 60)).tolist()


def told(net: Net, batch: Batch, count: int, start: int = 0) -> dict[int, Floats]:
    """Logits of each row after it was told its tail's next tokens, whatever it would have said itself."""
    room, found = Room(net, 64), {}
    for place in range(start, start + count):
        positions, tags = batch.grow(), batch.tags
        hidden = net.forward(np.array([TAIL[tag][place] for tag in tags]), positions, batch.attend, room)
        found = dict(zip(tags.tolist(), net.expect(hidden, room).copy(), strict=True))
    return found


@pytest.mark.parametrize("kind", [{}, {"kv_heads": 2}, {"loud": 12.0}])
def test_shared_and_lone_rows_that_leave_and_stay_see_exactly_their_own_text(
    kind: dict[str, float], tmp_path: Path
) -> None:
    net = Net.load(write_llama(tmp_path, **kind))  # type: ignore[arg-type]
    prefixes, batch = read(net, PROMPTS, most=30), Batch(net)
    batch.bunches.append(Bunch(net, np.arange(5), [prefixes[0]]))
    batch.bunches.append(Bunch(net, np.arange(5, 9), prefixes))
    prompt_of = {**dict.fromkeys(range(5), 0), **{5 + number: number for number in range(4)}}
    told(net, batch, 20)
    batch.keep(~np.isin(batch.tags, [0, 3, 4, 5]))
    found = told(net, batch, 40, start=20)
    assert sorted(found) == [1, 2, 6, 7, 8]
    for tag, logits in found.items():
        expected = net.logits(PROMPTS[prompt_of[tag]] + TAIL[tag][:60])[-1]
        np.testing.assert_allclose(logits, expected, atol=2e-4)


def test_prompts_read_together_are_read_as_if_alone(tmp_path: Path) -> None:
    net = Net.load(write_llama(tmp_path))
    for prompt, together in zip(PROMPTS, read(net, PROMPTS, most=1000), strict=True):
        alone = read(net, [prompt], most=1)[0]
        assert together.length == alone.length == len(prompt)
        np.testing.assert_allclose(together.keys, alone.keys, atol=1e-5)
        np.testing.assert_allclose(together.logits, net.logits(prompt)[-1], atol=1e-5)
