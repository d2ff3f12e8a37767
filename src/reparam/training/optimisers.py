"""Adam and RMSprop on lists of tensors, by torch's fused and foreach kernels.

They give the numbers of `torch.optim`, to the bit, and their state has its names. A `torch.optim.Optimizer`
imports torch's compiler, which takes longer than many a fit, and looks at each parameter in Python at every
step.
"""

import abc
from collections.abc import Sequence

import torch
from torch import Tensor

Slots = dict[str, Tensor]


class FusedOptimiser(abc.ABC):
    """Moves parameters along their gradients; those without a gradient stay, and have no state."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.state: dict[int, Slots] = {}
        """The state of each parameter by its number, once it has had a gradient."""

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update with this learning rate, from the gradients in `.grad`."""
        groups: dict[torch.dtype, list[int]] = {}
        for i, p in enumerate(self.parameters):
            if p.grad is not None:
                groups.setdefault(p.dtype, []).append(i)
                if i not in self.state:
                    self.state[i] = self.begun(p)
        for numbers in groups.values():
            parameters = [self.parameters[i] for i in numbers]
            gradients = [p.grad for p in parameters if p.grad is not None]
            states = [self.state[i] for i in numbers]
            torch._foreach_add_([state["step"] for state in states], 1)
            self.move(parameters, gradients, states, rate)

    @abc.abstractmethod
    def begun(self, p: Tensor) -> Slots:
        """The state before the first step, with `step`, the steps done."""

    @abc.abstractmethod
    def move(self, p: list[Tensor], g: list[Tensor], states: list[Slots], rate: float) -> None:
        """Update parameters and states of one type, whose steps are counted."""


class FusedAdamW(FusedOptimiser):
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, p <- p - rate m' / (sqrt(v') + eps) - rate decay p;
    m' and v' are m / (1 - b1^t) and v / (1 - b2^t) (Loshchilov and Hutter 2019, algorithm 2)."""

    def __init__(
        self, parameters: Sequence[Tensor], betas: tuple[float, float], eps: float, decay: float
    ) -> None:
        super().__init__(parameters)
        self.betas, self.eps, self.decay = betas, eps, decay

    def begun(self, p: Tensor) -> Slots:
        moments = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
        return {"step": torch.zeros((), device=p.device), **moments}

    def move(self, p: list[Tensor], g: list[Tensor], states: list[Slots], rate: float) -> None:
        torch._fused_adamw_(
            p,
            g,
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            lr=rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=self.decay,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )


class FusedRMSprop(FusedOptimiser):
    """v <- alpha v + (1 - alpha) g^2, p <- p - rate g / (sqrt(v) + eps) (Tieleman and Hinton 2012)."""

    def __init__(self, parameters: Sequence[Tensor], alpha: float, eps: float) -> None:
        super().__init__(parameters)
        self.alpha, self.eps = alpha, eps

    def begun(self, p: Tensor) -> Slots:
        return {"step": torch.zeros(()), "square_avg": torch.zeros_like(p)}

    def move(self, p: list[Tensor], g: list[Tensor], states: list[Slots], rate: float) -> None:
        squares = [state["square_avg"] for state in states]
        torch._foreach_mul_(squares, self.alpha)
        torch._foreach_addcmul_(squares, g, g, value=1 - self.alpha)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_add_(roots, self.eps)
        torch._foreach_addcdiv_(p, g, roots, value=-rate)


@torch.no_grad()
def clip(parameters: Sequence[Tensor], longest: float | None) -> Tensor:
    """The norm of all gradients, which are scaled down to `longest` where it is larger."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if longest is not None and (norm.is_cuda or not norm + 1e-6 <= longest):
        torch._foreach_mul_(gradients, (longest / (norm + 1e-6)).clamp_max(1.0))
    return norm
