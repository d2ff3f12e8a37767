"""What is measured is the same net, and the bench runs: its times are nobody's law."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from benchmarks import ROOT
from benchmarks.__main__ import COMMANDS, main
from benchmarks.markdown import fill
from benchmarks.peers import environment
from benchmarks.quality.tables import DRAWS, coverage
from benchmarks.speed.training import VAES
from benchmarks.torch_nets import PLAIN
from reparam import Training
from reparam.objectives import terms_of


@pytest.mark.parametrize("name", PLAIN)
def test_the_net_by_hand_has_the_same_gradients(name: str) -> None:
    torch.manual_seed(0)
    x, y = torch.rand(20, 28, 28), torch.arange(20) % 10
    vae = clone(VAES[name]).set_params(training=Training(epochs=1, learning_rate=1e-3), random_state=0)
    model = vae.fit(x.numpy(), None if vae.labels is None else y.numpy()).model_.train()
    hand = PLAIN[name].build()
    for ours, theirs in zip(hand.parameters(), model.parameters(), strict=True):
        ours.data.copy_(theirs)
    torch.manual_seed(1)
    hand(x.flatten(1), y)[0].backward()
    torch.manual_seed(1)
    model.zero_grad()
    trace = model(x, None if vae.labels is None else y)
    sum(term(trace, 0) for term in terms_of(vae.objective_, model.config)).backward()
    for ours, theirs in zip(hand.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], [name, "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
        assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_name_that_a_command_does_not_know_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    option = ["--only"] if name == "fingerprints" else []
    with pytest.raises(SystemExit):
        main([name, *option, "nonsense"])
    assert "'nonsense' (choose from" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rehearsal_of_every_part() -> None:
    words = [sys.executable, "-m", "benchmarks", "speed", "--small", "--threads", "1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for row in ("| zeldes |", "| by hand |", "| conv, score |", "| `reparam --help` |", "| 1,000 x 64 |"):
        assert row in done.stdout


def test_a_peer_that_cannot_be_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(peer: str) -> str:
        raise environment.PeerError("cannot be installed")

    monkeypatch.setattr(environment, "installed", refuse)
    with environment.children({"keras": "geron"}, 1, 1) as (ready, absent):
        assert (ready, absent) == ({}, {"keras": "cannot be installed"})


def test_tables_stand_between_their_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\nc\n")
    fill(page, {"one": "new\n"})
    assert page.read_text() == "a\n<!-- one -->\nnew\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\nc\n"


def test_fingerprints_equal_themselves_and_say_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads, first, second = torch.get_num_threads(), tmp_path / "first.json", tmp_path / "second.json"
    words = ["fingerprints", "--only", "vae", "series", "sparse", "interpolate"]
    try:
        main([*words, "-o", str(first)])
        with pytest.raises(SystemExit) as same:
            main([*words, "-o", str(second), "--against", str(first)])
        hashes = json.loads(first.read_text())
        assert same.value.code == 0 and json.loads(second.read_text()) == hashes
        assert {"vae/weights", "series/impute", "sparse/evaluation", "interpolate"} <= hashes.keys()
        first.write_text(
            json.dumps(hashes | {"sparse/scores": "other", "sparse/lost": "", "table/codes": ""})
        )
        capsys.readouterr()
        with pytest.raises(SystemExit) as differs:
            main(["fingerprints", "--only", "sparse", "--against", str(first)])
        assert differs.value.code == 1
        assert capsys.readouterr().out == "5 hashes, 2 differ\nsparse/scores\nsparse/lost\n"
    finally:
        torch.set_num_threads(threads)


def test_intervals_of_perfect_draws_hold_nine_tenths() -> None:
    rng = np.random.default_rng(0)
    *drawn, truth = (pd.DataFrame({"a": rng.gumbel(size=20_000)}) for _ in range(DRAWS + 1))
    seen = truth.where(rng.random(truth.shape) < 0.5)
    assert coverage(drawn, truth, seen) == pytest.approx(0.9, abs=0.01)
