"""The way off the machine, whatever has happened, and what the agent leaves of its memory to the program."""

import contextlib
import ctypes
import os
import subprocess
import sys
import traceback

M_MMAP_THRESHOLD = -3
"""From malloc.h."""


def crash(journal=None):
    """A defect of the agent: told on the console and, if possible, in the log; the machine goes home."""
    text = traceback.format_exc()
    print(text, file=sys.stderr, flush=True)
    if journal is not None:
        journal.say("the agent failed: " + text)
        journal.ship_rest(30)
    go_home()


def peak_memory():
    """KiB that this process has held at most, as the kernel counts them."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def give_memory_back():
    """Large buffers go back to the system when they are freed; glibc would keep some for each thread."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such choice
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 256 * 1024)


def go_home():
    print("[accelctl] going home; peak memory %d KiB" % peak_memory(), flush=True)
    subprocess.run(["shutdown", "-h", "now"], check=False)
    os._exit(1)
