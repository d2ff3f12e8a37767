"""The number of threads: by size, restored, and the same bits."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from reparam import MLP, VAE, Training
from reparam.threads import CROWDED, NOTICED, Crowd, limited
from tests.models import DIGITS


@pytest.fixture
def two_threads() -> Iterator[None]:
    with limited(2):
        yield


def test_the_number_of_the_caller_is_restored(two_threads: None) -> None:
    with limited(1):
        assert torch.get_num_threads() == 1
    with pytest.raises(RuntimeError), limited(1):
        torch.zeros(2) @ torch.zeros(3)
    assert torch.get_num_threads() == 2


def test_small_networks_train_on_one_thread_and_the_caller_sees_its_own_number(two_threads: None) -> None:
    vae = VAE(2, training=Training(epochs=3), random_state=0)
    within: list[int] = []
    for progress in vae.fit_iter(DIGITS[:200]):
        if progress.epoch == 1:
            vae.model_.register_forward_hook(lambda *_: within.append(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    assert set(within) == {1}


@pytest.mark.parametrize(("wanted", "hidden", "expected"), [(None, 16, 1), (None, 4096, None), (3, 16, 3)])
def test_the_number_depends_on_the_sizes_alone(
    wanted: int | None, hidden: int, expected: int | None, two_threads: None
) -> None:
    training = Training(epochs=1, batch_size=100, threads=wanted)
    vae = VAE(2, encoder=MLP((hidden,)), training=training, random_state=0)
    epochs = vae.fit_iter(DIGITS[:100])
    next(epochs)
    assert vae.trainer_.threads == expected
    assert hidden * 64 * 2 <= vae.model_.products <= hidden * 64 * 3
    epochs.close()


def test_a_small_fit_gives_the_same_bits_for_any_number_of_the_caller() -> None:
    found = []
    for threads in (1, 2):
        with limited(threads):
            vae = VAE(2, training=Training(epochs=2), random_state=0).fit(DIGITS[:300])
        found.append(torch.cat([p.detach().flatten() for p in vae.model_.parameters()]).numpy())
    np.testing.assert_array_equal(found[0], found[1])


def test_other_processes_are_noticed_once() -> None:
    crowd = Crowd()
    crowd.seconds, crowd.switches = 2 * NOTICED, int(2 * CROWDED * NOTICED)
    assert crowd.notice(1) is None
    assert "threads=1" in (crowd.notice(2) or "")
    assert crowd.notice(2) is None
    quiet = Crowd()
    quiet.seconds, quiet.switches = 2 * NOTICED, 3
    assert quiet.notice(2) is None


def test_the_notice_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crowd, "notice", lambda self, threads: f"crowded on {threads}")
    with caplog.at_level(logging.WARNING, "reparam"):
        VAE(2, training=Training(epochs=1), random_state=0).fit(DIGITS[:50])
    assert caplog.messages == ["crowded on 1"]
