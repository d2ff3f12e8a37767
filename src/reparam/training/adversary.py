"""The critics of an objective: networks trained with the model, each with its own optimiser."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from ..data.stream import LocalBatch
from ..model.config import ModelConfig
from ..objectives import Critic, Term
from .config import Adam
from .distributed import SingleProcess
from .optimisers import FusedOptimiser
from .state import load_slots, slots

Tensors = dict[str, Tensor]


class Adversary:
    """`critics` by term; empty where no term has one."""

    def __init__(self, terms: Sequence[Term], config: ModelConfig, process: SingleProcess) -> None:
        owners = [cast(Critic, term) for term in terms if term.has_critic]
        self.process = process
        self.critics: dict[Critic, nn.Module] = {
            term: term.build(config).to(process.device) for term in owners
        }
        self.optimisers: dict[Critic, FusedOptimiser] = {
            term: Adam(0.5, 0.9).build(list(self.critics[term].parameters())) for term in owners
        }

    def learn(self, codes: Sequence[Tensor], batch: LocalBatch) -> None:
        """A step of each critic, on its codes of the current batch."""
        for (term, optimiser), own in zip(self.optimisers.items(), codes, strict=True):
            loss = term.critic_loss(self.critics[term], own)
            self.process.backward(loss, batch, optimiser.parameters)
            optimiser.step(term.learning_rate)

    def state(self) -> Tensors:
        tensors: Tensors = {}
        for j, (term, optimiser) in enumerate(self.optimisers.items()):
            tensors |= {f"critic{j}.{name}": t for name, t in self.critics[term].state_dict().items()}
            tensors |= slots(f"critic_optimiser{j}", optimiser)
        return tensors

    def restore(self, parts: dict[str, Tensors]) -> None:
        for j, (term, optimiser) in enumerate(self.optimisers.items()):
            self.critics[term].load_state_dict(parts[f"critic{j}"])
            load_slots(optimiser, parts.get(f"critic_optimiser{j}", {}))
