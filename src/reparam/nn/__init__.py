"""Networks: encoders and decoders for data of any event shape. Add a new one to this union."""

from typing import Annotated

from .networks import MLP, Conv, Network
from .residual import ResMLP, ResNet

Net = Annotated[Network, MLP, Conv, ResMLP, ResNet]
