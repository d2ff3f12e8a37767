"""Variational autoencoders from the literature in one line, with all densities in nats.

The public names are listed in `__init__.pyi`. Each is imported when it is first used, so that
`reparam --help` does not wait for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
