"""Variational autoencoders: any of the literature as one line, every number in nats and right.

The public names stand in `__init__.pyi`. Each is imported when it is first used, so that `reparam --help`
need not wait for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
