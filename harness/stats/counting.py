"""How votes over k judgments of two responses end, by counting the subsets of a pool instead of drawing them.

A pool holds n judgments of one item; `margin` = score(first response) - score(second), NaN where the judgment is
unusable. A vote over k judgments is the sign of a sum of margins, so the expected outcome at k is a count over the
C(n, k) subsets of the pool:

- verdicts (all nonzero margins of an item equally large): products of binomials, once per distinct (wins, losses);
- scores on a lattice (integers, halves, tenths, ...): count the subsets of two halves of the pool by (size, sum), then
  pair them up with one matrix product;
- the meta RM's top k_meta: the same count over prefixes of the pool in meta order, times C(n - p, k - k_meta) when the
  k_meta-th kept judgment sits at position p; judgments of equal rank are averaged over all their orders;
- anything else (real-valued margins, absurdly fine lattices, n > 1,000): every subset where there are at most `draws`,
  else `draws` random ones.

Accuracy of a counted probability: every count is a whole number in a float64, exact while C(n, k) < 2^53 (n <= 56);
for larger pools only positive terms are added, and the error measured against whole-number arithmetic was below 1e-15
up to n = 1,000 (the tests ask for 1e-12). Scores should come in float64: tenths in float32 are on no lattice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from judgescale.harness.types import JudgescaleError

FRACTIONS = (1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 8, 1 / 10, 1 / 20, 1 / 100)  # lattices scores are printed on
LARGEST = 1000  # judgments in a pool that is counted; C(n, k) leaves float64 soon after
SUBSETS = 1000  # random subsets of a pool that cannot be counted
WORK = 2**23  # table cells updated for one item before drawing subsets is the better bargain
POOLS = 2**12  # pools handled at once
BLOCK = 2**18  # table cells in flight at once: small enough to stay in cache


class Outcome(IntEnum):
    """Name how a vote over two responses ends. NONE: no judgment in the subset was usable."""

    FIRST = 0
    TIE = 1
    SECOND = 2
    NONE = 3


class Curve(NamedTuple):
    """Hold how votes end at every k.

    outcomes: (items, K, 4), the probability of each Outcome at each k. exact: (items,), False where it was sampled at
    any k (at a k with few subsets, all of them were still taken).

    With v[o] the credit of outcome o, the credit is `outcomes @ v`; a sampled entry has the Monte Carlo variance
    (outcomes @ v**2 - (outcomes @ v)**2) / draws, independent between items.
    """

    outcomes: np.ndarray
    exact: np.ndarray


def vote_curve(margins: Sequence[np.ndarray], ks: Sequence[int], draws: int = SUBSETS, seed: int = 0) -> Curve:
    """Count how a vote over k of an item's judgments ends, over all C(n, k) subsets, for every k in `ks`.

    margins[i]: (n_i,) score(first) - score(second) of each judgment of item i, NaN = unusable: it counts as drawn and
    adds nothing. `draws` and `seed` matter only to items that cannot be counted (see the module's first lines).

    Raises JudgescaleError where a pool holds fewer than k judgments or an infinite margin.
    """
    return _make_curve(margins, None, ks, ks, draws, seed)


def meta_curve(
    margins: Sequence[np.ndarray],
    meta: Sequence[np.ndarray],
    ks: Sequence[int],
    k_meta: Callable[[int], int],
    draws: int = SUBSETS,
    seed: int = 0,
) -> Curve:
    """Count as `vote_curve` does, but only the k_meta(k) best of the k drawn judgments vote, by the meta RM's score.

    meta[i]: (n_i,). Unusable judgments and those without a meta score (NaN) share the last rank. Of equal ranks any is
    as likely kept as another.

    Raises JudgescaleError as `vote_curve` does, and where k_meta(k) is not between 1 and k or meta scores are missing.
    """
    return _make_curve(margins, meta, ks, [k_meta(k) for k in ks], draws, seed)


def plurality_curve(margins: Sequence[np.ndarray], ks: Sequence[int]) -> Curve | None:
    """Count as `vote_curve` does, but unusable judgments are a verdict too, which wins if it outnumbers both others.

    Only for verdicts (nonzero margins of one size an item); None otherwise.
    """
    tallies = []
    for pool in margins:
        usable = pool[~np.isnan(pool)]
        if len(set(np.abs(usable[usable != 0]))) > 1:
            return None
        tallies.append(((usable > 0).sum(), (usable < 0).sum(), (usable == 0).sum(), len(pool) - len(usable)))
    distinct, which = np.unique(np.array(tallies).reshape(-1, 4), axis=0, return_inverse=True)
    outcomes = np.zeros((len(distinct), len(ks), len(Outcome)))
    for row, (wins, losses, ties, none) in enumerate(distinct):
        i, j, h = np.ogrid[: wins + 1, : losses + 1, : none + 1]  # drawn of each; the rest of the k are ties
        choose = _binomials(int(wins + losses + ties + none))
        lost = h > np.maximum(i, j)
        ends = (
            (i > j) & ~lost,
            (i == j) & ~lost,
            (i < j) & ~lost,
            np.broadcast_to(lost, (wins + 1, losses + 1, none + 1)),
        )
        for column, k in enumerate(ks):
            rest = k - i - j - h
            ways = choose[wins, i] * choose[losses, j] * choose[none, h] * choose[ties, np.clip(rest, 0, ties)]
            ways = np.where((rest >= 0) & (rest <= ties), ways, 0.0) / choose[-1, k]
            outcomes[row, column] = [ways[end].sum() for end in ends]
    return Curve(outcomes[which], np.ones(len(margins), dtype=bool))


def subset_indices(n: int, k: int, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Return subsets of k out of n as (D, k) indices, and whether these are all of them.

    All where there are at most `draws`, else `draws` random ones.
    """
    if comb(n, k) <= draws:
        return np.array(list(combinations(range(n), k)), dtype=np.int64).reshape(comb(n, k), k), True
    return np.ascontiguousarray(rng.random((draws, n)).argsort(axis=1)[:, :k]), False


def count_distinct_subsets(kind: np.ndarray, k: int, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the subsets of k that hold different numbers of the kinds, as (D, k) indices, and their shares (D,).

    kind: (n,) whole numbers from 0; those of one kind are interchangeable. None where there are more than `most`.
    """
    counts = np.bincount(kind)
    if len(kind) > LARGEST or (found := _count_distinct(tuple(counts.tolist()), k, most)) is None:
        return None
    taken, shares = found
    rank = np.empty(len(kind), dtype=np.int64)  # of each index among those of its kind
    rank[np.argsort(kind, kind="stable")] = np.concatenate([np.arange(c) for c in counts])
    return np.nonzero(rank < taken[:, kind])[1].reshape(len(taken), k), shares


@lru_cache(maxsize=2**12)
def _count_distinct(counts: tuple[int, ...], k: int, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """List how many of each kind a subset of k may hold, (D, kinds), and the share of such subsets, (D,)."""
    left = sum(counts)  # of the kinds still to come
    taken, ways = np.zeros((1, 0), dtype=np.int64), np.full(1, 1 / comb(left, k))
    for count in counts:
        left -= count
        total = taken.sum(axis=1)[:, None] + np.arange(count + 1)
        row, more = np.nonzero((total <= k) & (total + left >= k))
        if len(row) > most:  # each of these can be completed, so there are no fewer in the end
            return None
        taken = np.column_stack([taken[row], more])
        ways = ways[row] * np.array([float(comb(count, m)) for m in range(count + 1)])[more]
    return taken, ways


def _make_curve(
    margins: Sequence[np.ndarray],
    meta: Sequence[np.ndarray] | None,
    ks: Sequence[int],
    kept: Sequence[int],
    draws: int,
    seed: int,
) -> Curve:
    """Make either curve: check, put pools of one size into one array (in meta order), count what can be counted."""
    sizes = np.array([len(pool) for pool in margins], dtype=np.int64)
    _check_pools(margins, meta, sizes, ks, kept)
    curve = Curve(np.zeros((len(sizes), len(ks), len(Outcome))), np.ones(len(sizes), dtype=bool))
    for items in _batch_by_size(sizes) if len(ks) else ():
        pools = np.array([margins[i] for i in items.tolist()], dtype=np.float64)
        group = np.zeros(pools.shape, dtype=np.int64)
        if meta is not None:
            pools, group = _sort_by_rank(pools, np.array([meta[i] for i in items.tolist()], dtype=np.float64))
        steps, counted = _find_lattice(pools)
        tied = (np.diff(group, axis=1) == 0).any(axis=1) & (meta is not None)
        counted &= _count_cells(steps, group, kept, meta is not None) <= WORK
        for some in (counted & ~tied, counted & tied):
            whole, unusable = steps[some], np.isnan(pools[some])
            if meta is None:
                curve.outcomes[items[some]] = _count_votes(whole, unusable, ks)
            elif not tied[some].any():
                curve.outcomes[items[some]] = _count_kept_votes(whole, unusable, ks, kept)
            else:
                curve.outcomes[items[some]] = _count_tied_votes(whole, unusable, group[some], ks, kept)
        if not counted.all():
            rest = items[~counted]
            curve.outcomes[rest], curve.exact[rest] = _sample_votes(
                pools[~counted], group[~counted], tied[~counted], ks, kept, draws, seed
            )
    return curve


def _sort_by_rank(pools: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put every pool (N, n) in order of rank, the best first; return it, and the number of each margin's group, from 0.

    A group is of equal rank. Where all of one say the same their order does not matter, and each is a group by itself.
    """
    rank = np.where(np.isnan(pools) | np.isnan(rank), -np.inf, rank)
    order = np.argsort(-rank, axis=1, kind="stable")
    pools, rank = np.take_along_axis(pools, order, axis=1), np.take_along_axis(rank, order, axis=1)
    opens = np.ones(pools.shape, dtype=bool)
    opens[:, 1:] = rank[:, 1:] != rank[:, :-1]
    said = np.nan_to_num(pools, nan=np.inf)
    group, mixed = np.cumsum(opens, axis=1) - 1, np.zeros(pools.shape, dtype=bool)
    row, place = np.nonzero(~opens[:, 1:] & (said[:, 1:] != said[:, :-1]))
    mixed[row, group[row, place]] = True
    return pools, np.cumsum(opens | ~np.take_along_axis(mixed, group, axis=1), axis=1) - 1


def _batch_by_size(sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield items whose pools are of one size, at most POOLS at a time: larger arrays only fault in more memory."""
    for n in np.unique(sizes):
        items = np.flatnonzero(sizes == n)
        yield from np.split(items, range(POOLS, len(items), POOLS))


def _check_pools(
    margins: Sequence[np.ndarray],
    meta: Sequence[np.ndarray] | None,
    sizes: np.ndarray,
    ks: Sequence[int],
    kept: Sequence[int],
) -> None:
    """Raise JudgescaleError where these pools have no such curve, naming the k or the item."""
    for k, keep in zip(ks, kept, strict=True):
        if not 1 <= keep <= k:
            raise JudgescaleError(f"cannot keep {keep} of k={k} judgments: 1 <= k_meta <= k is needed")
    short = np.flatnonzero(sizes < max(ks, default=0))
    if len(short):
        raise JudgescaleError(f"k={max(ks)} needs more judgments than the {sizes[short[0]]} of item {short[0]}")
    if meta is not None:
        if len(meta) != len(margins):
            raise JudgescaleError(f"{len(meta)} items have meta scores, {len(margins)} have judgments")
        for i, (pool, rank) in enumerate(zip(margins, meta, strict=True)):
            if len(pool) != len(rank):
                raise JudgescaleError(f"item {i} has {len(pool)} judgments and {len(rank)} meta scores")
    if len(sizes) and np.isinf(np.concatenate(list(margins))).any():
        first = next(i for i, pool in enumerate(margins) if np.isinf(pool).any())
        raise JudgescaleError(f"item {first} has an infinite margin")


# ---------------------------------------------------------------------------------------------- counting


def _find_lattice(pools: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return margins as whole numbers of each pool's quantum, and where that works: (N, n) int64, (N,) bool.

    Tried: the smallest nonzero margin, its half, then FRACTIONS. NaN becomes 0, which adds nothing to a sum.
    """
    values = np.nan_to_num(pools)
    size = np.abs(values)
    smallest = np.where(size > 0, size, np.inf).min(axis=1, initial=np.inf)
    smallest[np.isinf(smallest)] = 1.0
    steps, found = np.zeros(values.shape, dtype=np.int64), np.zeros(len(values), dtype=bool)
    for quantum in (smallest, smallest / 2, *(np.full(len(values), f) for f in FRACTIONS)):
        left = np.flatnonzero(~found)
        if not len(left):
            break
        scaled = values[left] / quantum[left, None]
        near = np.rint(scaled)
        # beyond 2^20 steps rounding noise would pass for a lattice
        fits = ((np.abs(scaled - near) <= 1e-9) & (np.abs(near) < 2**20)).all(axis=1)
        steps[left[fits]], found[left[fits]] = near[fits], True
    return steps, found


def _is_verdict(steps: np.ndarray) -> np.ndarray:
    """Tell which pools' nonzero margins are all one quantum: (N,)."""
    verdict: np.ndarray = np.abs(steps).max(axis=1) <= 1
    return verdict


def _count_cells(steps: np.ndarray, group: np.ndarray, kept: Sequence[int], ranked: bool) -> np.ndarray:
    """Count the table cells that counting each pool's subsets would update: (N,)."""
    n = steps.shape[1]
    if n > LARGEST:
        return np.full(len(steps), np.inf)
    if ranked:
        prefixes: np.ndarray = n * (max(kept) + 1) * (2.0 * _sum_largest(steps, max(kept) + 1) + 1)
        return prefixes * np.minimum(_measure_groups(group).max(axis=1), max(kept))
    half = (n + 1) // 2
    # halves dealt by size differ in reach by at most one margin
    cells = half * (half + 1) * (np.abs(steps).sum(axis=1) + np.abs(steps).max(axis=1) + 1.0)
    return np.where(_is_verdict(steps), 0.0, cells)


def _measure_groups(group: np.ndarray) -> np.ndarray:
    """Measure how many judgments are in the group of each: (N, n)."""
    n = group.shape[1]
    rows = np.arange(len(group))[:, None] * n
    size: np.ndarray = np.bincount((rows + group).ravel(), minlength=group.size)[rows + group]
    return size


def _sum_largest(steps: np.ndarray, size: int) -> np.ndarray:
    """Sum each pool's `size` largest |margins|, its reach: no `size` of them have a larger |sum|. (N,)"""
    largest: np.ndarray = np.sort(np.abs(steps), axis=1)[:, ::-1][:, :size].sum(axis=1)
    return largest


def _block_by_reach(reach: np.ndarray, rows: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield items of like reach, and the largest reach among them, as many at a time as BLOCK cells allow."""
    order = np.argsort(reach, kind="stable")
    while len(order):
        widest = int(reach[order[-1]])
        several = max(1, BLOCK // (rows * (2 * widest + 1)))
        yield order[-several:], widest
        order = order[:-several]


@lru_cache(maxsize=8)
def _binomials(n: int) -> np.ndarray:
    """Return C(i, j) for i, j <= n, by Pascal's rule: exact below 2^53."""
    table = np.zeros((n + 1, n + 1))
    table[:, 0] = 1
    for i in range(1, n + 1):
        table[i, 1:] = table[i - 1, 1:] + table[i - 1, :-1]
    table.setflags(write=False)
    return table


def _count_votes(steps: np.ndarray, unusable: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Count how plain votes over k of n whole margins (N, n) end: shares (N, K, 4)."""
    n = steps.shape[1]
    counts = np.empty((len(steps), 2, n + 1))
    verdicts = _is_verdict(steps)
    if verdicts.any():
        wins, losses = (steps[verdicts] > 0).sum(axis=1), (steps[verdicts] < 0).sum(axis=1)
        distinct, which = np.unique(wins * (n + 1) + losses, return_inverse=True)
        counts[verdicts] = _count_verdict_subsets(*np.divmod(distinct, n + 1), n)[which]
    if not verdicts.all():
        counts[~verdicts] = _count_score_subsets(steps[~verdicts])
    first, tie = counts[:, :, list(ks)].transpose(1, 0, 2)
    return _share_out(first, tie, _binomials(n)[unusable.sum(axis=1)][:, list(ks)], n, ks)


def _count_verdict_subsets(wins: np.ndarray, losses: np.ndarray, n: int) -> np.ndarray:
    """Count the subsets of n verdicts by size that the wins outvote, and that tie: (D, 2, n + 1).

    wins, losses: (D,); the other n - wins - losses verdicts are neutral.

    i wins, j losses and k - i - j neutral verdicts can be had in C(wins, i) C(losses, j) C(rest, k - i - j) ways.
    """
    choose = _binomials(n)
    win, lose, rest = choose[wins], choose[losses], choose[n - wins - losses]
    decided = np.zeros((len(wins), 2, n + 1))  # by i + j
    for j in range(n // 2 + 1):
        decided[:, 0, 2 * j + 1 :] += lose[:, j, None] * win[:, j + 1 : n + 1 - j]  # i > j
        decided[:, 1, 2 * j] = lose[:, j] * win[:, j]  # i = j
    counts = np.zeros_like(decided)
    for m in range(n + 1):
        counts[:, :, m:] += decided[:, :, m, None] * rest[:, None, : n + 1 - m]
    return counts


def _count_score_subsets(steps: np.ndarray) -> np.ndarray:
    """Count the subsets by size whose sum is above zero, and zero: (N, 2, n + 1).

    Split every pool in halves A and B and count their subsets by (size, sum); a pair of subsets wins where B's sum
    exceeds minus A's, so the pairs are a matrix product with B's counts accumulated from the top.
    """
    n = steps.shape[1]
    by_size = np.take_along_axis(steps, np.argsort(-np.abs(steps), axis=1), axis=1)
    halves = by_size[:, ::2], by_size[:, 1::2]  # dealt out by size, so that both sums have a short range
    reach = np.maximum(*(np.abs(half).sum(axis=1) for half in halves))
    counts = np.zeros((len(steps), 2, n + 1))
    for block, top in _block_by_reach(reach, (n + 1) // 2 + 1):
        a, b = (_count_by_size_and_sum(half[block], top) for half in halves)
        against = np.zeros((len(block), 2, *b.shape[1:]))
        against[:, 1] = b[:, :, ::-1]  # at s: B's sum is -s
        np.cumsum(against[:, 1, :, :-1], axis=2, out=against[:, 0, :, 1:])  # at s: B's sum is above -s
        pairs = a.astype(np.float64) @ against.reshape(len(block), -1, b.shape[2]).swapaxes(1, 2)
        pairs = pairs.reshape(len(block), a.shape[1], 2, b.shape[1])
        sums = np.zeros((len(block), 2, n + 1))
        for size in range(a.shape[1]):
            sums[:, :, size : size + b.shape[1]] += pairs[:, size]
        counts[block] = sums
    return counts


def _count_by_size_and_sum(steps: np.ndarray, reach: int) -> np.ndarray:
    """Count each row's subsets by (size, sum): (N, m) whole numbers to (N, m + 1, 2 * reach + 1), sum 0 in the middle.

    No |sum| may exceed `reach`. Sizes and sums share one axis of cells, so that taking in a margin is a single shift,
    by one size plus the margin.
    """
    table, shift = _make_empty_table(steps.shape[0], steps.shape[1], reach, comb(steps.shape[1], steps.shape[1] // 2))
    for j in range(steps.shape[1]):
        used = (j + 2) * (2 * reach + 1)  # larger subsets do not exist yet
        table[:, :used] += shift(steps[:, j], used)
    return table.reshape(len(steps), -1, 2 * reach + 1)


def _make_empty_table(
    items: int, size: int, reach: int, largest: int
) -> tuple[np.ndarray, Callable[[np.ndarray, int], np.ndarray]]:
    """Make a table that knows the empty subset only, (items, (size + 1) * width), and the function that shifts it.

    The function returns the table's first cells moved on by one size and one margin an item: every subset with that
    margin added.
    """
    width = 2 * reach + 1
    pad = width + reach  # zeros for the shift to bring in
    dtype = np.uint16 if largest < 2**16 else np.uint32 if largest < 2**32 else np.float64
    padded = np.zeros((items, pad + (size + 1) * width), dtype=dtype)
    padded[:, pad + reach] = 1
    starts = np.arange(items) * padded.shape[1] + pad - width

    def shift(margin: np.ndarray, used: int) -> np.ndarray:
        rows: np.ndarray = sliding_window_view(padded.reshape(-1), used)[starts - margin]
        return rows

    return padded[:, pad:], shift


def _count_kept_votes(steps: np.ndarray, unusable: np.ndarray, ks: Sequence[int], kept: Sequence[int]) -> np.ndarray:
    """Count how votes end where only the first kept[j] of the ks[j] drawn margins vote: shares (N, K, 4).

    steps: (N, n) whole margins in meta order.

    If the last kept one is at position p, the others are any of the p - 1 before it, and what is drawn but not kept
    is any k - kept of the n - p after it.
    """
    n, most = steps.shape[1], max(kept)
    largest = comb(n, min(most, n // 2))
    choose = _binomials(n)
    # (K, n): ways to draw the rest behind each position
    behind = np.array([choose[n - 1 - np.arange(n), k - keep] for k, keep in zip(ks, kept, strict=True)])
    counts = np.zeros((2, len(steps), len(ks)))
    # one more than can vote: the sets that just grew too large must not spill back into the table
    for block, reach in _block_by_reach(_sum_largest(steps, most + 1), most + 1):
        table, shift = _make_empty_table(len(block), most, reach, largest)
        ends = np.zeros((2, len(block), most + 1, n))  # first, tie: by subset size and position of the last kept
        for p in range(n):
            sizes = min(p + 1, most) + 1
            used = sizes * (2 * reach + 1)
            with_p = shift(steps[block, p], used)
            by_sum = with_p.reshape(len(block), sizes, 2 * reach + 1)
            ends[0, :, :sizes, p] = by_sum[:, :, reach + 1 :].sum(axis=2)
            ends[1, :, :sizes, p] = by_sum[:, :, reach]
            table[:, :used] += with_p
        counts[:, block] = np.einsum("oikp,kp->oik", ends[:, :, list(kept)], behind)
    none = np.zeros(counts.shape[1:])
    some = np.flatnonzero(unusable.any(axis=1))
    before = np.cumsum(unusable[some], axis=1) - unusable[some]
    for j, keep in enumerate(kept):
        none[some, j] = (unusable[some] * choose[before, keep - 1]) @ behind[j]
    return _share_out(counts[0], counts[1], none, n, ks)


def _count_tied_votes(
    steps: np.ndarray, unusable: np.ndarray, group: np.ndarray, ks: Sequence[int], kept: Sequence[int]
) -> np.ndarray:
    """Count as `_count_kept_votes` does, averaged over all orders of the judgments of each group: shares (N, K, 4)."""
    n, most = steps.shape[1], max(kept)
    size = _measure_groups(group)
    closes = np.column_stack([np.diff(group, axis=1) > 0, np.ones(len(group), dtype=bool)])
    spare = np.array(ks) - np.array(kept)
    counts = np.zeros((len(steps), len(ks), len(Outcome)))
    several = min(int(size.max()), most)
    for block, reach in _block_by_reach(_sum_largest(steps, most + 1), (most + 1) * (several + 1)):
        # tables[b]: subsets of which b are of the group at hand
        tables, shifts = zip(
            *(_make_empty_table(len(block), most, reach, comb(n, min(most, n // 2))) for _ in range(several + 1))
        )
        for table in tables[1:]:
            table[:] = 0
        for p in range(n):
            used = (min(p + 1, most) + 1) * (2 * reach + 1)
            for b in range(several, 0, -1):
                tables[b][:, :used] += shifts[b - 1](steps[block, p], used)
            ends = np.flatnonzero(closes[block, p])
            if not len(ends):
                continue
            for b in range(1, several + 1):
                by_sum = tables[b][ends].reshape(len(ends), most + 1, -1)[:, list(kept)]
                sides = by_sum[..., reach + 1 :], by_sum[..., reach : reach + 1], by_sum[..., :reach]
                ways = _weigh_kept(n, spare, size[block[ends], p], np.array(b), np.array(n - 1 - p))
                for outcome, side in enumerate(sides):
                    counts[block[ends], :, outcome] += side.sum(axis=2) * ways
                tables[0][ends] += tables[b][ends]
                tables[b][ends] = 0
    choose, without = _binomials(n), unusable.sum(axis=1)
    last = np.maximum(size[:, -1], without)  # in the last rank, where nobody from above may be drawn
    for j, (k, keep) in enumerate(zip(ks, kept, strict=True)):
        none = choose[without, keep] * choose[np.maximum(last - keep, 0), k - keep] / choose[k, keep]
        counts[:, j, Outcome.NONE] = none
        counts[:, j, Outcome.TIE] = np.maximum(counts[:, j, Outcome.TIE] - none, 0)
    shares: np.ndarray = counts / counts.sum(axis=2, keepdims=True)
    return shares


def _weigh_kept(n: int, spare: np.ndarray, m: np.ndarray, b: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Count the draws out of n that keep one given set of judgments, by how many more they hold: (N, K).

    spare: (K,), how many are drawn and not kept. The last group that the kept are from holds m (N,) judgments, of which
    b are kept, and so many rank below it. The spare ones are any e of its m - b others and spare - e of those below;
    but of the group's b + e in such a draw any b are as likely kept.
    """
    choose, e = _binomials(n), np.arange(n + 1)
    fits = np.minimum(b[..., None] + e, n)
    others = np.where(m >= b, 1.0, 0.0)[..., None] * choose[np.maximum(m - b, 0)] / choose[fits, b[..., None]]
    rest = spare - e[:, None]  # (e, K)
    behind = np.where(rest >= 0, choose[below][..., np.maximum(rest, 0)], 0.0)
    ways: np.ndarray = np.einsum("...e,...ek->...k", others, behind)
    return ways


def _share_out(first: np.ndarray, tie: np.ndarray, none: np.ndarray, n: int, ks: Sequence[int]) -> np.ndarray:
    """Turn counts of subsets, (N, K) each, into shares of C(n, k): (N, K, 4).

    A subset with nothing usable summed to 0, so `tie` still holds those of `none`.
    """
    total = _binomials(n)[n, list(ks)]
    # beyond 2^53 a difference can come out as minus a rounding error
    tie, second = np.maximum(tie - none, 0), np.maximum(total - first - tie, 0)
    shares: np.ndarray = np.stack([first, tie, second, none], axis=2) / total[:, None]
    return shares


# ---------------------------------------------------------------------------------------------- drawing


def _sample_votes(
    pools: np.ndarray,
    group: np.ndarray,
    tied: np.ndarray,
    ks: Sequence[int],
    kept: Sequence[int],
    draws: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the votes of explicit subsets: shares (N, K, 4), and for which pools these were all subsets, (N,) bool.

    One set of random subsets serves all items, but each pool is dealt its own places, so items err independently. In
    `tied` ones (N,) a group (N, n) says different things: they have all sets that may be kept, or lots.
    """
    n = pools.shape[1]
    outcomes, exact = np.empty((len(pools), len(ks), len(Outcome))), np.ones(len(pools), dtype=bool)
    marks = [crc32(pool.tobytes()) for pool in pools]
    deal = np.array([np.random.default_rng([seed, mark]).permutation(n) for mark in marks])
    for j, (k, keep) in enumerate(zip(ks, kept, strict=True)):
        subsets, whole = subset_indices(n, k, draws, np.random.default_rng([seed, n, k]))
        chosen = np.zeros((len(subsets), n), dtype=bool)
        np.put_along_axis(chosen, subsets, True, axis=1)
        by_lot = tied & (keep < k)
        if whole:
            outcomes[:, j] = _tally(pools, _keep_first(chosen, keep))
        elif keep == k:
            outcomes[:, j] = _tally(np.take_along_axis(pools, deal, axis=1), chosen)
        else:
            for i in np.flatnonzero(~by_lot):
                outcomes[i, j] = _tally(pools[i : i + 1], _keep_first(chosen[:, deal[i]], keep))[0]
        listed = n <= LARGEST and comb(n, keep) <= draws
        for i in np.flatnonzero(by_lot):
            rng = np.random.default_rng([seed, n, k, marks[i]])
            voting, share = _list_kept(group[i], k, keep) if listed else _keep_by_lot(group[i], k, keep, draws, rng)
            outcomes[i, j] = _tally(pools[i : i + 1], voting, share)[0]
        exact &= np.where(by_lot, listed, whole)
    return outcomes, exact


def _keep_first(chosen: np.ndarray, keep: int) -> np.ndarray:
    """Keep the first `keep` of each row's chosen places: (D, n) booleans."""
    first: np.ndarray = chosen & (np.cumsum(chosen, axis=1) <= keep)
    return first


def _list_kept(group: np.ndarray, k: int, keep: int) -> tuple[np.ndarray, np.ndarray]:
    """List all sets that k drawn judgments may keep, (D, n) booleans, and the share of draws that do, (D,)."""
    n = len(group)
    kept = np.array(list(combinations(range(n), keep)))
    last, size = group[kept[:, -1]], np.bincount(group)
    b = (group[kept] == last[:, None]).sum(axis=1)
    ways = _weigh_kept(n, np.array([k - keep]), size[last], b, n - np.cumsum(size)[last])[:, 0]
    voting = np.zeros((len(kept), n), dtype=bool)
    np.put_along_axis(voting, kept, True, axis=1)
    return voting, ways / ways.sum()


def _keep_by_lot(
    group: np.ndarray, k: int, keep: int, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw k judgments, and keep the best by group, lots deciding within one: (draws, n) booleans, and their shares."""
    drawn = rng.random((draws, len(group))).argsort(axis=1)[:, :k]
    best = (group[drawn] + rng.random(drawn.shape)).argsort(axis=1)[:, :keep]
    voting = np.zeros((draws, len(group)), dtype=bool)
    np.put_along_axis(voting, np.take_along_axis(drawn, best, axis=1), True, axis=1)
    return voting, np.full(draws, 1 / draws)


def _tally(pools: np.ndarray, voting: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """Return the shares of the outcomes, (N, 4), when each row of `voting` (D, n) votes on each pool (N, n).

    share: (D,), what each row counts; alike where it is None.
    """
    shares = np.empty((len(pools), len(Outcome)))
    ballots = voting.T.astype(np.float64)
    for start in range(0, len(pools), 256):
        block = pools[start : start + 256]
        margins = np.nan_to_num(block)
        # opposite real numbers rarely cancel to the last bit
        noise = 1e-9 * np.abs(margins).max(axis=1, initial=0, keepdims=True)
        sums = margins @ ballots
        none = (~np.isnan(block)).astype(np.float64) @ ballots == 0
        ends = sums > noise, (np.abs(sums) <= noise) & ~none, sums < -noise, none
        shares[start : start + 256] = np.stack(
            [end.mean(axis=1) if share is None else end @ share for end in ends], axis=1
        )
    return shares
