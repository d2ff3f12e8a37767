"""Data: named sets, readers of files, codecs to tensors and back, streams and batches."""
