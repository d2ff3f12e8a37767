"""Models outside of torch: ONNX graphs, one page that works without a server, and the model hub."""
