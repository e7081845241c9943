"""How many items it takes to see a difference: the sample size of a paired comparison.

Two judges on the same items differ on a share psi of them (discordant pairs), and by d on average. McNemar's test at
level alpha sees that with probability `power` for

    n = (z_alpha/2 sqrt(psi) + z_power sqrt(psi - d^2))^2 / d^2

items (Miettinen, 1968; Connor, Biometrics 43, 1987, formula 2). With credits between 0 and 1, psi is the mean squared
difference, and this is the normal approximation of the paired t test.
"""

from __future__ import annotations

from math import ceil, sqrt

from scipy import stats

LEVEL, POWER = 0.05, 0.8


def count_items(discordant: float, difference: float, level: float = LEVEL, power: float = POWER) -> int | None:
    """Count the items that show a difference of paired credits; None where so few discordant ones cannot make it.

    discordant: the share of items on which the two differ, or their mean squared difference.
    """
    if discordant < difference**2 or (discordant < difference and discordant <= 0):
        return None
    return ceil(_count(discordant, difference, level, power))


def find_smallest_difference(discordant: float, items: float, level: float = LEVEL, power: float = POWER) -> float:
    """Find the smallest difference that so many items show; sqrt(discordant), the largest there can be, if none."""
    alpha, beta = stats.norm.ppf(1 - level / 2), stats.norm.ppf(power)
    largest = sqrt(discordant)
    if items < alpha**2:  # as many as the largest difference takes
        return largest
    # the formula above solved for d: a quadratic, of which this root has d sqrt(n) above z_alpha/2 sqrt(psi)
    share = (sqrt(items) * alpha + beta * sqrt(items + beta**2 - alpha**2)) / (items + beta**2)
    return float(largest * share)


def _count(discordant: float, difference: float, level: float, power: float) -> float:
    alpha, beta = stats.norm.ppf(1 - level / 2), stats.norm.ppf(power)
    rest = max(discordant - difference**2, 0.0)
    return float((alpha * sqrt(discordant) + beta * sqrt(rest)) ** 2 / difference**2)
