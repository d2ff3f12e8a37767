"""The critics of an objective: networks trained with the model, each with its own optimiser."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from ..data.stream import LocalBatch
from ..model.config import ModelConfig
from ..model.trace import Trace
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
        self.critics: dict[object, nn.Module] = {
            term: term.build(config).to(process.device) for term in owners
        }
        self.optimisers: dict[Critic, FusedOptimiser] = {
            term: Adam(0.5, 0.9).build(list(self.critics[term].parameters())) for term in owners
        }

    def learn(self, trace: Trace | None, batch: LocalBatch) -> None:
        """A step of each critic, on the codes of the current batch."""
        for term, optimiser in self.optimisers.items():
            assert trace is not None
            self.process.backward(term.critic_loss(trace), batch, optimiser.parameters)
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
