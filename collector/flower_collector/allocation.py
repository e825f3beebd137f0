"""What glibc's allocator is told, so that large messages leave no memory behind in a process that lives for months."""

import ctypes

ARENAS = 2
"""Heaps. By default each thread may have one of its own, and what it has once grown to is hardly given back; threads
that take turns at the interpreter's lock gain nothing from it."""

LARGE = 256 * 1024
"""Bytes from which an allocation is the kernel's own and goes back to it when it is freed. glibc would raise this up to
32 MB once such a block was freed, and keep all later ones."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of malloc.h."""


def known() -> bool:
    """Whether it is glibc's; other allocators know no `mallopt`, or do nothing by it."""
    return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def settle() -> None:
    """Tell it, where it is the one that is known."""
    if not known():
        return
    library = ctypes.CDLL(None)
    for option, value in ((_M_ARENA_MAX, ARENAS), (_M_MMAP_THRESHOLD, LARGE), (_M_TRIM_THRESHOLD, LARGE)):
        library.mallopt(option, value)
