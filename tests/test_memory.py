"""Memory that was freed is there for the next step."""

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes, resource
import keras_genai

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
c.free.argtypes = [ctypes.c_void_p]

def faults(blocks):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(blocks):
        block = c.malloc(40 * 2**20)
        c.memset(block, 1, 40 * 2**20)
        c.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(1)
print(faults(10))
"""
BLOCK = 40 * 2**20 // 4096  # pages


def pages(**environment):
    """Pages of memory that ten blocks needed after a first one."""
    run = [sys.executable, "-c", CODE]
    return int(subprocess.check_output(run, env=environment, text=True))


@pytest.fixture
def environment():
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MALLOC_", "GLIBC_TUN"))
    }


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators differ")
class TestKeepFreed:
    def test_a_freed_block_is_used_again(self, environment):
        assert pages(**environment) < BLOCK

    def test_a_user_who_has_told_the_allocator_is_heard(self, environment):
        # Blocks of a megabyte and more go back to the system.
        told = {**environment, "MALLOC_MMAP_THRESHOLD_": "1048576"}
        assert pages(**told) >= 10 * BLOCK
