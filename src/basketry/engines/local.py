"""A cluster of one: the threads of this process, for work whose kernels let go of the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class LocalCluster:
    """A `Cluster` of `threads` threads: what Spark does with a part, without Spark."""

    threads: int = 2

    def map(self, function: Callable[[bytes], bytes], parts: Sequence[bytes]) -> Iterator[bytes]:
        """`function` of each part, in order; an exception or an interrupt drops the parts not yet begun."""
        pool = ThreadPoolExecutor(self.threads)
        try:
            yield from pool.map(function, parts)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
