import subprocess
import sys

import pytest

TWICE = """
import ctypes, resource
from experiments.train.process import keep_pages

assert keep_pages()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def faults_of_a_buffer():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = ctypes.c_void_p(libc.malloc(1 << 26))
    ctypes.memset(buffer, 1, 1 << 26)
    libc.free(buffer)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults_of_a_buffer(), faults_of_a_buffer())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_a_buffer_that_was_freed_is_there_at_once_the_next_time():
    words = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=True
    )
    first, again = map(int, words.stdout.split())
    assert again < first / 100
