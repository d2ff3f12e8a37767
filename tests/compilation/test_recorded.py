"""Recorded operations: what is left out of them, and what makes a library another one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from reparam import MLP, Columns, Gaussian, Poisson
from reparam.compilation import recorded
from reparam.compilation.library import constants_as_inputs, fingerprint
from reparam.compilation.recorded import Recorded, is_known
from reparam.errors import SpecError

X = torch.arange(6.0).reshape(2, 3)


def listed(f: Callable[[Tensor], Tensor], x: Tensor = X) -> str:
    return fingerprint(make_fx(f, tracing_mode="fake")(x), [x], {"cpp.threads": 1})


def test_an_output_may_be_none(graphs: list[object]) -> None:
    class Halves(Recorded):
        def outputs(self, own: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
            return None, inputs[0] / 2, None, own["read.0.weight"] / 2

    net = nn.Linear(3, 1)
    found = Halves(lambda x: (x,), [net])(X)
    assert found[0] is None and found[2] is None and len(graphs) == 1
    torch.testing.assert_close(found[1::2], [X / 2, net.weight / 2])


def test_inputs_lie_in_memory_as_those_that_were_recorded(graphs: list[object]) -> None:
    doubled = Recorded(lambda x: (x.as_strided((6,), (1,)) * 2,), [])
    for x in (X, X.T.contiguous().T):
        assert doubled(x)[0].tolist() == [0, 2, 4, 6, 8, 10]
    assert len(graphs) == 1


def test_where_there_is_no_library_torch_compiles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "AHEAD_OF_TIME", False)
    monkeypatch.setattr(torch, "compile", lambda operations, **_: operations)
    torch.testing.assert_close(Recorded(lambda x: (x + 1,), [])(X), [X + 1])


@pytest.mark.parametrize("ahead", [True, False])
def test_without_a_compiler_none_of_its_work_is_done(
    ahead: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it is asked to compile")

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(recorded, "AHEAD_OF_TIME", ahead)
    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(torch._inductor, "aot_compile", fail)
    nowhere = torch._inductor.config.patch({"cpp.cxx": (None, str(tmp_path / "g++"))})
    with nowhere, pytest.raises(SpecError, match=r"no C\+\+ compiler"):
        Recorded(lambda x: (x + 1,), [])(X)


def test_parts_of_the_users_own_are_found_wherever_they_are() -> None:
    class Layer(nn.Linear):
        pass

    @dataclass(frozen=True, repr=False)
    class Bell(Gaussian):
        pass

    assert is_known(nn.Sequential(nn.Linear(1, 1)), Columns((Gaussian(), Poisson())), MLP((3,)))
    assert not is_known(MLP((3,)), nn.Sequential(nn.Sequential(Layer(1, 1))))
    assert not is_known(Columns((Gaussian(), Bell())))
    assert not is_known(Layer(1, 1))


def test_constants_become_inputs() -> None:
    graph = make_fx(lambda x: x * torch.tensor([1.0, 2.0, 3.0]) + torch.tensor(0.5), tracing_mode="fake")(X)
    constants = constants_as_inputs(graph)
    assert [c.tolist() for c in constants] == [[1, 2, 3], 0.5]
    torch.testing.assert_close(graph(X, *constants), X * torch.tensor([1.0, 2.0, 3.0]) + 0.5)


def test_what_makes_a_library_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    same = listed(lambda x: x * 2)
    assert listed(lambda x: x + 2) != same == listed(lambda x: x * 2)
    others = {listed(lambda x: x * 2, x) for x in (X, X[:1], X.double(), X.T.contiguous().T)}
    assert len(others) == 4 and same in others
    monkeypatch.setitem(torch._inductor.config.aot_inductor.metadata, "AOTI_MACHINE", "x86_64")
    with torch._inductor.config.patch({"cpp.simdlen": 1}):
        assert listed(lambda x: x * 2) != same
    assert listed(lambda x: x * 2) == same
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert listed(lambda x: x * 2) != same


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler wants one of C++")
def test_a_library_takes_constants_and_calls_what_has_no_function_in_c(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def factor(x: Tensor) -> tuple[Tensor]:
        return (torch.linalg.cholesky(x @ x.T + torch.tensor([1.0, 2.0]).diag()),)

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        torch.testing.assert_close(Recorded(factor, [])(X), list(factor(X)))
    assert sorted(p.suffix for p in tmp_path.glob("reparam/*")) == [".json", ".so"]
