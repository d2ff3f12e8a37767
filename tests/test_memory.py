"""What of the memory that a batch frees is kept for the next one."""

import os
import platform
import subprocess
import sys

import pytest

from reparam import memory

CODE = """
import torch
from reparam.memory import freed_memory_kept

def pages():
    return int(open("/proc/self/statm").read().split()[1])

def filled():
    held = [torch.ones(20 << 18) for _ in range(8)]
    return pages()

start = pages()
with freed_memory_kept():
    most = filled()
    print((pages() - start) / (most - start))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own setting")
@pytest.mark.parametrize(("environment", "kept"), [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False)])
def test_memory_that_is_freed_is_kept_inside(environment: dict[str, str], kept: bool) -> None:
    """160 MiB in eight tensors, unless the user has set the allocator."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    found = subprocess.check_output([sys.executable, "-c", CODE], env=surroundings | environment)
    assert (float(found) > 0.9) == kept and (float(found) < 0.1) != kept


def test_afterwards_as_much_is_kept_as_glibc_keeps_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[int, int] = {}
    monkeypatch.setattr(memory, "allocator", lambda: settings.__setitem__)
    with pytest.raises(ValueError, match="a step"), memory.freed_memory_kept():
        assert settings == {memory.M_MMAP_THRESHOLD: 32 << 20, memory.M_TRIM_THRESHOLD: 256 << 20}
        int("a step that fails")
    assert settings == {memory.M_MMAP_THRESHOLD: 32 << 20, memory.M_TRIM_THRESHOLD: 64 << 20}
