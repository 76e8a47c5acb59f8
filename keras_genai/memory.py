"""Freed memory is kept for the next training step, on Linux with the C library of GNU.

A step's tensors are blocks of megabytes. Left alone, the allocator gives each back to
the system and asks for it again in the next step, which then costs the clearing of all
its pages: a third of the time of a small GPT's step on two cores.
"""

import ctypes
import os
import sys

# Parameters of `mallopt`, as its header `malloc.h` numbers them.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
# Bytes. Blocks below a gigabyte come from the heap, of which free ends are kept.
KEPT = {MMAP_THRESHOLD: 2**30, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 2**26}


def keep_freed():
    """Tells the allocator to keep what is freed, unless the user has told it anything.

    Whoever sets `GLIBC_TUNABLES` or a variable such as `MALLOC_TRIM_THRESHOLD_` has
    decided; nothing is done then.

    Returns:
        bool: whether it was told.
    """
    names = [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUN"))]
    if names or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return all(mallopt(key, value) for key, value in KEPT.items())
