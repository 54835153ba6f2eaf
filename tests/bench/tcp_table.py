#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of tests/bench/tcp, of its results on standard input; with --pair one line of the newest pairs."""

import json
import sys
from statistics import median

BAR = 0.90  # of the kernel's goodput
BUSY = 0.02  # of the frames came late: the machine had no time for the cable
PAIRS_MIN = 5  # fewer of them say nothing


def pairs_of(results):
    """(row, left) -> seed -> who -> result, in the order in which rows came."""
    rows = {}
    for result in results:
        seeds = rows.setdefault((result["row"], result["left"]), {})
        seeds.setdefault(result["seed"], {})[result["who"]] = result
    return rows


def ratio(pair):
    kernels = pair["kernel"]["mbit_per_s"]
    return pair["endpoint"]["mbit_per_s"] / kernels if kernels else 0.0


def print_pair(rows):
    def shown(left, pair):
        ours, kernels = pair["endpoint"]["mbit_per_s"], pair["kernel"]["mbit_per_s"]
        return f"{left} {ours:.1f} and {kernels:.1f} Mbit/s, {ratio(pair):.2f}"

    print("; ".join(shown(left, pair) for (_, left), seeds in sorted(rows.items()) for pair in seeds.values()))


def print_table(rows):
    met, lowest, least = 0, None, None
    print(f"{'cable':<26} {'left':<8} {'endpoint':>9} {'kernel':>9} {'ratio':>6} {'least':>6} {'most':>6} {'late':>6}  bar")
    for (row, left), seeds in rows.items():
        pairs = list(seeds.values())
        ratios = [ratio(pair) for pair in pairs]
        goodput = {who: median(pair[who]["mbit_per_s"] for pair in pairs) for who in ("endpoint", "kernel")}
        streams = [result for pair in pairs for result in pair.values()]
        late = sum(s["late"] + s["missed"] for s in streams) / max(1, sum(s["frames"] for s in streams))
        passed = median(ratios) >= BAR
        met += passed
        if lowest is None or median(ratios) < lowest:
            lowest, least = median(ratios), f"{row}, {left}"
        print(
            f"{row:<26} {left:<8} {goodput['endpoint']:9.1f} {goodput['kernel']:9.1f} {median(ratios):6.2f} "
            f"{min(ratios):6.2f} {max(ratios):6.2f} {late:6.1%}  {'met' if passed else 'MISSED'}"
            f"{', machine too busy' if late > BUSY else ''}"
        )
    enough = min(len(seeds) for seeds in rows.values()) >= PAIRS_MIN
    print(
        f"bar: goodput at least {BAR:.2f} of the kernel's, by the median of pairs: met in {met} of {len(rows)} rows; "
        f"the lowest is {lowest:.2f} ({least}){'' if enough else f'; fewer than {PAIRS_MIN} pairs: no verdict'}"
    )


def main():
    rows = pairs_of(json.loads(line) for line in sys.stdin)
    print_pair(rows) if "--pair" in sys.argv else print_table(rows)


if __name__ == "__main__":
    main()
