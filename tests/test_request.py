"""What decides an answer is what a request is known by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import ConfigError
from seedbed.request import Choice, JsonSchema, Regex, Request

TEXTS = st.text(max_size=30)
CONSTRAINTS = st.one_of(
    st.none(),
    st.just(JsonSchema.of({"type": "object", "properties": {"é": {"type": "string"}}}, "found")),
    st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: Choice(tuple(texts))),
    TEXTS.map(Regex),
)
REQUESTS = st.builds(
    Request,
    messages=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1, max_size=3).map(
        tuple
    ),
    draw=st.integers(0, 9),
    rng_seed=st.integers(0, 2**40),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1, exclude_min=True),
    max_tokens=st.integers(1, 9999),
    seed=st.none() | st.integers(0, 2**31),
    logprobs=st.none() | st.integers(0, 20),
    constraint=CONSTRAINTS,
)


@given(REQUESTS)
def test_a_request_is_read_back_from_its_canonical_text(request):
    assert Request.from_canonical(request.canonical()) == request


# What the types forbid is what is tested: most callers do not check theirs.
@pytest.mark.parametrize(
    "asked",
    [
        lambda: Request(()),
        lambda: Request([{"role": "user", "content": "hi"}]),  # type: ignore[arg-type, list-item]
        lambda: Request("hello"),  # type: ignore[arg-type]
        lambda: Request(("user", "hi")),  # type: ignore[arg-type]
        lambda: Request((("human", "hi"),)),  # type: ignore[arg-type]
        lambda: Request((("user", "hi"),), max_tokens=0),
        lambda: Request((("user", "hi"),), temperature=-1),
        lambda: Request((("user", "hi"),), constraint={"type": "object"}),  # type: ignore[arg-type]
        lambda: Choice("yes"),  # type: ignore[arg-type]
        lambda: JsonSchema.of('{"type": "object"}'),  # type: ignore[arg-type]
    ],
)
def test_a_request_that_no_model_can_be_asked_is_refused_where_it_is_made(asked):
    with pytest.raises(ConfigError):
        asked()
