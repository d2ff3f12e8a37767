"""Convert the state of an optimiser to named tensors, and back."""

from torch import Tensor, device as Device

from .optimisers import FusedOptimiser


def slots(name: str, optimiser: FusedOptimiser) -> dict[str, Tensor]:
    """NAME.PARAMETER.SLOT -> tensor."""
    return {f"{name}.{i}.{slot}": t for i, each in optimiser.state.items() for slot, t in each.items()}


def load_slots(optimiser: FusedOptimiser, tensors: dict[str, Tensor]) -> None:
    """PARAMETER.SLOT -> tensor, into the optimiser."""
    held: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        i, _, slot = name.partition(".")
        held.setdefault(int(i), {})[slot] = tensor.clone()
    for number, each in held.items():
        if each.keys() != optimiser.begun(optimiser.parameters[number]).keys():
            raise ValueError(f"the optimiser's state of parameter {number} is not understood")
    optimiser.state = held


def grouped(tensors: dict[str, Tensor], device: Device) -> dict[str, dict[str, Tensor]]:
    """PART.NAME -> tensor, as {PART: {NAME: tensor}} on the device."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor.to(device)
    return parts
