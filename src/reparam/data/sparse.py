"""Matrices that stay sparse until a batch is read: (n, d) numbers of which most are 0."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_matrix
from torch import Tensor

from ..errors import DataError

Array = np.ndarray[Any, Any]
KEYS = {"data", "indices", "indptr", "shape"}
"""The parts of a compressed matrix, in the files of scipy.sparse.save_npz and in others."""


class Sparse:
    """A matrix (n, d); its batches are dense float32.

    >>> Sparse(csr_matrix([[0, 2], [0, 0], [3, 0]]))[torch.tensor([2, 0])]
    tensor([[3., 0.],
            [0., 2.]])
    """

    def __init__(self, matrix: Any, device: torch.device | str = "cpu") -> None:
        rows = matrix.tocsr()
        parts = (rows.data.astype(np.float32, copy=False), rows.indices, rows.indptr)
        self.matrix = csr_matrix(parts, shape=rows.shape)
        self.shape, self.device = self.matrix.shape, device

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> Tensor:
        return torch.from_numpy(self.rows(rows).toarray()).to(self.device)

    def rows(self, rows: Any) -> Any:
        return self.matrix[rows.cpu().numpy() if isinstance(rows, Tensor) else rows]

    def to(self, device: torch.device) -> "Sparse":
        """Move batches to the device; the matrix stays."""
        return Sparse(self.matrix, device)


def assembled(arrays: Mapping[str, Array]) -> Any:
    """The matrix with its parts under KEYS; the default format is CSR."""
    stored = arrays["format"].item() if "format" in arrays else b"csr"
    kind = stored.decode() if isinstance(stored, bytes) else str(stored)
    if kind not in ("csr", "csc"):
        raise DataError(f"a sparse matrix in the format {kind} has slow access to rows; save X.tocsr()")
    make = csr_matrix if kind == "csr" else csc_matrix
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    n, d = map(int, arrays["shape"])
    matrix = make(parts, shape=(n, d))
    matrix.check_format(full_check=True)
    return matrix.tocsr()


def read_h5ad(path: Path) -> tuple[Any, Any]:
    """The counts of an AnnData file, layers["counts"] where it has them, else X, and its frame of cells."""
    try:
        import anndata
    except ImportError:
        raise DataError(f"{path.name} needs anndata: pip install anndata") from None
    held = anndata.read_h5ad(path)
    X = held.layers.get("counts", held.X)
    return X if isinstance(X, np.ndarray) else X.tocsr(), held.obs
