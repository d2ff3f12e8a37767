"""Convert the state of an optimiser to named tensors, and back."""

import torch
from torch import Tensor


def slots(name: str, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """NAME.PARAMETER.SLOT -> tensor."""
    held = optimiser.state_dict()["state"]
    return {f"{name}.{i}.{slot}": t for i, each in held.items() for slot, t in each.items()}


def load_slots(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """PARAMETER.SLOT -> tensor, into the optimiser."""
    held: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        i, _, slot = name.partition(".")
        held.setdefault(int(i), {})[slot] = tensor
    optimiser.load_state_dict({"state": held, "param_groups": optimiser.state_dict()["param_groups"]})


def grouped(tensors: dict[str, Tensor], device: torch.device) -> dict[str, dict[str, Tensor]]:
    """PART.NAME -> tensor, as {PART: {NAME: tensor}} on the device."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor.to(device)
    return parts
