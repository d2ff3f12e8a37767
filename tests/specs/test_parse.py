"""Spec <-> text: what is written is read back, and nothing else is read."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from reparam import (
    ELBO,
    IWAE,
    MLP,
    MMD,
    VAE,
    Adam,
    Conv,
    CrossEntropy,
    Cyclic,
    Fixed,
    Gaussian,
    Given,
    Linear,
    Local,
    RMSprop,
    Shared,
    SpecError,
    Square,
    Training,
)
from reparam.estimator.validation import KINDS
from reparam.specs.parse import parse
from reparam.specs.spec import text

numbers = st.floats(0.001, 1e6) | st.floats(1e-300, 1e300)
widths = st.lists(st.integers(1, 1000), max_size=4).map(tuple)
ramps = st.builds(Linear, numbers, numbers, st.integers(1, 10**9)) | st.builds(
    Cyclic, numbers, numbers, st.integers(1, 9)
)
bounds = st.builds(ELBO, beta=numbers | ramps, samples=st.integers(1, 9)) | st.builds(
    IWAE, st.integers(1, 99)
)
terms = st.tuples(bounds, st.builds(MMD, numbers, st.sampled_from(["imq", "rbf"])))
nets = st.builds(MLP, widths, st.sampled_from(["relu", "elu", "tanh"])) | st.builds(
    Conv, st.lists(st.integers(1, 99), min_size=1).map(tuple), st.sampled_from([1, 3, 5])
)
sources = (
    st.just(Local())
    | st.builds(Local, st.builds(Square, numbers))
    | st.just(Shared())
    | st.builds(Fixed, st.floats(-1e9, 1e9) | st.lists(st.floats(-9, 9), min_size=1).map(tuple))
)
trainings = st.builds(
    Training,
    epochs=st.none() | st.integers(1, 999),
    learning_rate=numbers,
    optimiser=st.builds(Adam, eps=numbers) | st.builds(RMSprop, alpha=st.floats(0, 1, exclude_max=True)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.tuples(st.just("objective"), bounds | terms),
        st.tuples(st.just("encoder"), nets),
        st.tuples(st.just("likelihood"), st.builds(Gaussian, sources, sources)),
        st.tuples(st.just("training"), trainings),
        st.tuples(st.just("latent_dim"), st.integers(0, 99) | widths.filter(bool)),
        st.tuples(st.just("labels"), st.none() | st.builds(Given, st.integers(1, 99))),
    )
)
def test_what_is_written_is_read_back(pair: tuple[str, object]) -> None:
    name, value = pair
    assert parse(repr(value), KINDS[name]) == value
    assert parse(text(value, complete=True), KINDS[name]) == value


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"[A-Z][a-zA-Z_.()\[\]{}0-9,='\" ]{0,50}", fullmatch=True))
def test_any_text_is_a_spec_or_a_spec_error(words: str) -> None:
    for kind in KINDS.values():
        try:
            parse(words, kind)
        except SpecError as error:
            assert "\n" not in str(error).strip() or "\n" in words


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "ELBO.__init__.__globals__",
        "ELBO(beta=open('x'))",
        "ELBO(*(1,))",
        "ELBO(**{'beta': 1})",
        "f'{1}'",
        "1 + 1",
        "ELBO(" * 40 + ")" * 40,
        "9" * 70_000,
        "b'bytes'",
        "1j",
        "...",
    ],
)
def test_nothing_else_is_read(attack: str) -> None:
    with pytest.raises(SpecError):
        parse(attack, KINDS["objective"])


def test_messages_suggest() -> None:
    for words, message in [
        ("ELB(1)", "did you mean ELBO"),
        ("ELBO(betta=2)", "did you mean beta"),
        ("ELBO(1, 2, 3, 4, 5, 6, 7, 8)", "takes 6 arguments"),
        ("ELBO(beta=1, beta=2)", "not a spec|same argument twice"),
        ("CrossEntropy('much')", "CrossEntropy.weight takes float"),
    ]:
        with pytest.raises(SpecError, match=message):
            parse(words, KINDS["objective"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("MLP((256", "a bracket is not closed: 'MLP((256' lacks '))' at its end"),
        ("MLP([256, 4)", "'MLP([256, 4)' has ')' where ']' is due"),
        ("MLP(256))", "'MLP(256))' has one ')' too many"),
        ("MLP((8,), '(('", "a bracket is not closed: \"MLP((8,), '(('\" lacks ')' at its end"),
        ("MLP((8,) 3)", "not a spec: 'MLP((8,) 3)'"),
    ],
)
def test_a_bracket_that_is_not_closed_is_said(words: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(words, KINDS["encoder"])
    assert str(caught.value) == message


def test_infinity_is_a_number() -> None:
    assert parse("inf", float) == math.inf and CrossEntropy(1) == CrossEntropy(1.0)


def test_the_first_form_of_geron_can_be_said() -> None:
    """sigma itself from the encoder, with 1e-10 inside the logarithm."""
    words = "Gaussian(scale=Local(Square(floor=1e-10)))"
    posterior = parse(words, KINDS["posterior"])
    assert posterior == Gaussian(scale=Local(Square(1e-10)))
    import numpy as np

    X = np.random.default_rng(0).normal(size=(60, 3))
    vae = VAE(2, posterior=posterior, training=Training(epochs=3), random_state=0).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
