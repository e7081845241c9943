"""How much a roll-up of credits varies: a jackknife over clusters, section by section.

Items drawn from one prompt stand or fall together, so a cluster is left out whole. Sections, and what each weighs, are
fixed by the benchmark, so clusters vary around their sections' means. Where a cluster spans sections, all sections that
it links share one stratum. A section with a single cluster does not tell how much it varies: it counts as fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from judgescale.harness.stats.intervals import Units

LEAST = 1e-24  # a variance below this is what rounding leaves of none


@dataclass(frozen=True)
class Spread:
    """Hold the variance of K roll-ups, and how well it is known."""

    variance: np.ndarray  # (K,)
    freedom: np.ndarray  # (K,): degrees of freedom of the variance (Satterthwaite, 1946)
    units: int  # how many count
    clusters: float  # as how many equal clusters: 1 / the sum of squared shares (Kish)

    def find_half_width(self, level: float) -> np.ndarray:
        """Return how far a t interval reaches to either side, (K,)."""
        half: np.ndarray = stats.t.ppf((1 + level) / 2, self.freedom) * np.sqrt(self.variance)
        return half


@dataclass(frozen=True)
class Moves:
    """Hold by how much each cluster moves K roll-ups, and the strata around whose means clusters vary."""

    moved: np.ndarray  # (C, K)
    stratum: np.ndarray  # (C,)
    factor: np.ndarray  # (C,): what a square counts in the variance; 0 where a cluster is alone in its stratum
    size: np.ndarray  # (C,): the cluster's share in the roll-up
    units: int  # how many count

    @property
    def freedom(self) -> float:
        """Return the degrees of freedom of a variance to which clusters add by their sizes."""
        counted = np.bincount(self.stratum) > 1
        even = np.bincount(self.stratum, self.size**2)[counted]
        freedom = np.maximum(np.bincount(self.stratum, self.size)[counted] ** 2 / even - 1, 1)
        return float(even.sum() ** 2 / (even**2 / freedom).sum())

    def measure_variances(self, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Measure the variances, (M,), and their degrees of freedom, of combinations that clusters move so, (M, C)."""
        order = np.argsort(self.stratum, kind="stable")
        strata, first, members = np.unique(self.stratum[order], return_index=True, return_counts=True)
        counted = members > 1
        squares = moved**2
        if len(strata) == 1:
            parts = squares.sum(axis=1, keepdims=True).T
        else:
            parts = np.add.reduceat(squares[:, order], first, axis=1).T[counted]
        parts = parts * ((members - 1) / members)[counted][:, None]  # (strata, M)
        even = np.bincount(self.stratum, self.size**2)[strata][counted]
        freedom = np.maximum(np.bincount(self.stratum, self.size)[strata][counted] ** 2 / even - 1, 1)[:, None]
        variance: np.ndarray = parts.sum(axis=0)
        # where nothing varies: as their sizes would make them vary
        parts = np.where(variance > LEAST, parts, even[:, None])
        return variance, parts.sum(axis=0) ** 2 / (parts**2 / freedom).sum(axis=0)


def measure_moves(units: Units, credit: np.ndarray, share: np.ndarray) -> Moves | None:
    """Measure by how much leaving out each cluster moves `share @ credit`.

    None where every section that counts is a single cluster. credit: (U, K). share: (U,), each unit's share in the
    roll-up.
    """
    rows = np.flatnonzero(share)
    if not len(rows):
        return None
    share, section, cluster = share[rows], _number_names(units.section[rows]), _number_names(units.cluster[rows])
    of_section = np.bincount(section, share)
    mean = _sum_by(section, share[:, None] * credit[rows]) / of_section[:, None]
    cells, cell = np.unique(section * (cluster.max() + 1) + cluster, return_inverse=True)
    cell_section, cell_cluster = np.divmod(cells, cluster.max() + 1)
    # leaving a cluster out moves its section's mean by its deviation over the weight of the others
    others = 1 - np.bincount(cell, share) / of_section[cell_section]
    others[others < 1e-9] = np.inf  # alone in its section
    moved = _sum_by(cell_cluster, _sum_by(cell, share[:, None] * (credit[rows] - mean[section])) / others[:, None])
    size, stratum = np.bincount(cluster, share), _assign_strata(section, cluster)
    members = np.bincount(stratum)[stratum]
    if not (members > 1).any():
        return None
    return Moves(moved, stratum, (members - 1) / members, size, len(rows))


def measure_spread(units: Units, credit: np.ndarray, share: np.ndarray) -> Spread | None:
    """Measure how much `share @ credit` varies; None where every section that counts is a single cluster.

    credit: (U, K). share: (U,), each unit's share in the roll-up.
    """
    if (found := measure_moves(units, credit, share)) is None:
        return None
    variance, freedom = found.measure_variances(found.moved.T)
    return Spread(variance, freedom, found.units, _count_as_equal(found.size))


def count_clusters(units: Units, share: np.ndarray) -> float:
    """Count the clusters, unequal ones as so many equal ones: 1 / the sum of squared shares (Kish, 1965)."""
    return _count_as_equal(np.bincount(_number_names(units.cluster), share))


def _count_as_equal(size: np.ndarray) -> float:
    """Count clusters of these shares (C,) of the whole as so many equal ones."""
    return float(1 / (size**2).sum())


def _sum_by(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum the rows of (U, K) values by their group's number: (groups, K)."""
    return np.array([np.bincount(group, column) for column in values.T]).T


def _number_names(names: np.ndarray) -> np.ndarray:
    """Number each row's name among the sorted names."""
    codes: np.ndarray = np.unique(names, return_inverse=True)[1]
    return codes


def _assign_strata(section: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Assign each cluster a stratum, (C,): its section, or the lowest of the sections that clusters link it to."""
    of_section = np.arange(section.max() + 1)
    while True:
        lowest = np.full(cluster.max() + 1, len(of_section))
        np.minimum.at(lowest, cluster, of_section[section])
        linked = of_section.copy()
        np.minimum.at(linked, section, lowest[cluster])
        if (linked == of_section).all():
            return lowest
        of_section = linked
