"""One query against all rows: the memory's speed, ours, and the others'."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import faiss
import numpy as np
from benchmarks.bandwidth import fastest_read, reads
from benchmarks.peers import check_answers, peers_of
from benchmarks.report import Row
from benchmarks.timing import interleaved
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import lookalike as la

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.peers import Peer
    from benchmarks.timing import Times

    from lookalike.core.types import Float32Array, MetricName

METRICS: tuple[MetricName, ...] = ("cosine", "euclidean", "manhattan", "inner_product")
LEAST_SHARE = 0.90  # of the read bandwidth
LEAST_OVER_NUMPY = {"euclidean": 12.0, "cosine": 4.0, "manhattan": 7.0}
LEAST_TWO_THREADS = 1.6
NOISE = 1.03  # two that both run at the memory's speed differ by chance only

ODD_DIMS = {1: 16, 3: 16, 17: 16, 127: 128, 769: 768}  # and the nearest multiple of 16
LEAST_DIM = 64  # from here on an odd dimension may cost 1.5 times an even one
MOST_OVER_EVEN = 1.5
ODD_FLOATS = 24_000_000


def against_peers(
    name: str, metric: MetricName, query: Float32Array, group: Float32Array, rounds: int
) -> Iterator[Row]:
    """Measure one metric on one group: the reads, ours, and every peer, side by side."""
    ours = {
        f"ours, {n} thread{'s' * (n > 1)}": partial(
            la.distances, query, group, metric=metric, n_threads=n
        )
        for n in (1, 2)
    }
    peers = peers_of(metric, query, group)
    calls: dict[str, Callable[[], object]] = {
        **reads(group, 1),
        **reads(group, 2),
        **ours,
        **{peer.name: peer.call for peer in peers},
    }
    omp_threads = faiss.omp_get_max_threads()
    with threadpool_limits(limits=1):
        faiss.omp_set_num_threads(1)
        check_answers(peers, query, group)
        times = interleaved(calls, rounds)
        faiss.omp_set_num_threads(omp_threads)
    section = f"{metric}: one query, {name} {group.shape[0]} x {group.shape[1]} float32"
    figures = _Figures(section, group.nbytes, times, *ours)
    yield from figures.reads_and_ours()
    for peer in peers:
        yield figures.peer(peer)


@dataclass(frozen=True)
class _Figures:
    """The times of one section, and the names of ours with one and two threads."""

    section: str
    size: int
    times: Times
    one: str
    two: str

    def reads_and_ours(self) -> Iterator[Row]:
        read_by_one, read_by_two = (fastest_read(self.times, n) for n in (1, 2))
        for read in (read_by_one, read_by_two):
            yield self._row(read, read)
        is_met = self.times.ratio(read_by_one, self.one) >= LEAST_SHARE
        target = f"at least {LEAST_SHARE:.0%} of the read"
        yield self._row(self.one, read_by_one, target, is_met)
        gain = self.times.ratio(self.one, self.two)
        memorys = self.times.ratio(read_by_one, read_by_two)
        wanted = min(LEAST_TWO_THREADS, memorys)
        target = f"{wanted:.2f}x one thread (memory {memorys:.2f}x); is {gain:.2f}x"
        yield self._row(self.two, read_by_two, target, gain * NOISE >= wanted)

    def peer(self, peer: Peer) -> Row:
        read = fastest_read(self.times, 1)
        ratio = self.times.ratio(peer.name, self.one)
        if peer.library == "NumPy" and peer.measures in LEAST_OVER_NUMPY:
            least = LEAST_OVER_NUMPY[peer.measures]
            return self._row(peer.name, read, f"at least {least:.0f}x our time", ratio >= least)
        shares = (self.times.ratio(read, name) for name in (self.one, peer.name))
        allowed = NOISE if min(shares) > LEAST_SHARE else 1.0
        return self._row(peer.name, read, "not faster than ours", ratio * allowed >= 1.0)

    def _row(self, name: str, read: str, target: str = "", is_met: bool | None = None) -> Row:  # noqa: FBT001 - as in Row
        taken = self.times.median(name)
        rate = self.size / taken / 1e6
        share, ratio = self.times.ratio(read, name), self.times.ratio(name, self.one)
        return Row(self.section, name, taken, rate, share, ratio, target, is_met)


def odd_dimensions(rounds: int) -> Iterator[Row]:
    """Measure dimensions that fill no register beside their neighbours that do."""
    values = np.random.default_rng(0).random(ODD_FLOATS, dtype=np.float32)
    dims = sorted({*ODD_DIMS, *ODD_DIMS.values()})
    groups = {dim: values[: values.size // dim * dim].reshape(-1, dim) for dim in dims}
    calls = {
        f"{metric} {dim}": partial(
            la.distances, group[0], group, metric=metric, n_threads=1, out=np.empty(len(group), "f")
        )
        for metric in METRICS[:3]
        for dim, group in groups.items()
    }
    times = interleaved(calls, rounds)
    for metric in METRICS[:3]:
        for odd, even in ODD_DIMS.items():
            name = f"{metric} {odd}"
            ratio = times.ratio(name, f"{metric} {even}")
            ratio *= groups[even].nbytes / groups[odd].nbytes
            has_target = odd > LEAST_DIM
            yield Row(
                "odd dimensions: time a byte over that of the nearest multiple of 16",
                f"{metric}, {odd} beside {even}",
                times.median(name),
                groups[odd].nbytes / times.median(name) / 1e6,
                ratio=ratio,
                target=f"at most {MOST_OVER_EVEN}x" if has_target else "",
                is_met=ratio <= MOST_OVER_EVEN if has_target else None,
            )
