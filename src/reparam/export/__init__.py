"""Models outside of torch: ONNX graphs, one page that works without a server, and the model hub."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
