"""Data: named sets, readers of files, codecs between what users hold and tensors, streams and batches."""
