"""A training step: the floor under it, an expert's loop, the net written out by hand, and reparam."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from sklearn.base import clone
from torch import Tensor, nn

from reparam import ELBO, VAE, Bernoulli, Conv, Training
from reparam.recipes import recipe

from ..markdown import Rows
from ..peers.environment import PEERS, children
from ..torch_nets import PLAIN, Plain
from .timing import Effort, ratio, rounds, timed

Turn = Callable[[], object]
"""Trains one epoch of the rows it was made with."""

VAES: dict[str, VAE] = {
    "zeldes": recipe("zeldes").model,
    "geron": recipe("geron").model,
    "conv": VAE(20, encoder=Conv(), likelihood=Bernoulli(grey="expected"), objective=ELBO()),
}
"""The nets of `PLAIN` in reparam's words."""

PAIRS = (
    *(("reparam", who) for who in ("floor", "hand", "float32", "medium", "compiled", "bf16")),
    ("compiled", "floor"),
    ("expert", "reparam"),
    *((who, "auto") for who in ("expert", *PEERS)),
)
"""Whose time is held against whose."""


def floor(net: Plain, steps: int) -> Turn:
    """The matrix products of a step alone: forward, and the gradients of weights and inputs."""
    if not net.hidden:
        return convolutions(net, steps)
    parts = []
    for layer in (m for m in net.build().modules() if isinstance(m, nn.Linear)):
        n_in, n_out = layer.in_features, layer.out_features
        a, w, g = torch.randn(net.batch, n_in), torch.randn(n_out, n_in), torch.randn(net.batch, n_out)
        reads_data = n_in == 784
        parts.append(
            (a, w, g, torch.empty_like(g), torch.empty_like(w), None if reads_data else torch.empty_like(a))
        )

    def turn() -> None:
        for _ in range(steps):
            for a, w, g, out, dw, da in parts:
                torch.mm(a, w.T, out=out)
                torch.mm(g.T, a, out=dw)
                if da is not None:
                    torch.mm(g, w, out=da)

    return turn


def convolutions(net: Plain, steps: int) -> Turn:
    """The same of a convolutional net: its layers without bias, activation, loss or optimiser."""
    built = [m for m in net.build().modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    shapes = ((1, 28, 28), (32, 14, 14), (3136,), (256,), (20,), (256,), (64, 7, 7), (32, 14, 14))
    inputs = [torch.randn(net.batch, *shape).requires_grad_(i > 0) for i, shape in enumerate(shapes)]
    for layer in built:
        layer.bias = None
    outs = [torch.randn_like(layer(a)) for layer, a in zip(built, inputs, strict=True)]

    def turn() -> None:
        for _ in range(steps):
            for layer, a, g in zip(built, inputs, outs, strict=True):
                wanted = [t for t in (layer.weight, a) if t.requires_grad]
                torch.autograd.grad(layer(a), wanted, g)

    return turn


def expert(net: Plain, x: Tensor, y: Tensor) -> Turn:
    """What someone who knows PyTorch writes: tensors in memory, index gather, fused Adam."""
    model, x = net.build(), x.flatten(1)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def turn() -> None:
        for rows in torch.randperm(len(x)).split(net.batch):
            loss, _, _ = model(x[rows], y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return turn


def hand(net: Plain, x: Tensor, y: Tensor) -> Turn:
    """The expert's loop with our optimiser and the means that we show: what reparam takes longer is
    the cost of families, distributions and trace."""
    model, x = net.build(), x.flatten(1)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.0, fused=True)

    def turn() -> list[float]:
        totals = torch.zeros(3)
        for rows in torch.randperm(len(x)).split(net.batch):
            figures = model(x[rows], y[rows])
            optimiser.zero_grad(set_to_none=True)
            figures[0].backward()
            optimiser.step()
            totals += torch.stack([figure.detach() for figure in figures]) * len(rows)
        return (totals / len(x)).tolist()

    return turn


def estimator(name: str, epochs: int, **words: object) -> VAE:
    """The estimator as users call it; `words` are its Training's."""
    vae = clone(VAES[name])
    training = replace(vae.training or Training(), epochs=epochs, batch_size=PLAIN[name].batch, **words)
    return vae.set_params(training=training, random_state=0)  # type: ignore[no-any-return]


def reparam(name: str, x: Tensor, y: Tensor, **words: object) -> Turn:
    """An epoch of a million."""
    vae = estimator(name, 10**6, **words)
    epochs: Iterator[object] = vae.fit_iter(x.numpy(), None if vae.labels is None else y.numpy())
    return lambda: next(epochs)


def ours(name: str, steps: int, effort: Effort) -> dict[str, Turn]:
    """Every contestant that runs in this process."""
    torch.manual_seed(0)
    net = PLAIN[name]
    x = torch.rand(net.batch * steps, 28, 28)
    y = torch.arange(len(x)) % 10
    turns = {
        "floor": floor(net, steps),
        "expert": expert(net, x, y),
        "hand": hand(net, x, y),
        "reparam": reparam(name, x, y, compile=False),
    }
    ways: dict[str, dict[str, object]] = {"float32": {"precision": "32-true", "compile": False}}
    ways |= {"medium": {"precision": "medium", "compile": False}}
    ways |= {} if effort.small else {"auto": {}, "compiled": {"compile": True}}
    ways |= {"bf16": {"precision": "bf16-mixed"}} if effort.bf16 else {}
    return turns | {way: reparam(name, x, y, **words) for way, words in ways.items()}


def training(effort: Effort) -> Rows:
    """Milliseconds of a step, samples a second, and how many times as long one takes as another."""
    rows: Rows = {}
    for name in effort.nets:
        net = PLAIN[name]
        steps = 1 if effort.small else net.steps
        tasks = {peer: name for peer in PEERS if net.hidden or peer != "pyod"}
        with children(tasks if effort.peers else {}, effort.threads, steps) as (peers, absent):
            turns = {who: timed(turn) for who, turn in ours(name, steps, effort).items()} | peers
            seconds = rounds(turns, effort.rounds)
        medians = {who: statistics.median(each) / steps for who, each in seconds.items()}
        ratios = {f"{a} / {b}": ratio(seconds, a, b) for a, b in PAIRS if {a, b} <= seconds.keys()}
        rows[name] = {who: 1e3 * each for who, each in medians.items()} | ratios | absent
        rows[name] |= {peer: "-" for peer in PEERS if effort.peers and peer not in tasks}
        rows[name]["samples"] = round(net.batch / medians["reparam"])
    return rows
