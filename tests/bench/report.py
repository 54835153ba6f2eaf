#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of a measurement. Called by tests/bench/run: report.py RESULTS CRYPTO CHURN SETTINGS LOAD."""

import json
import sys
from typing import NamedTuple

LOST = 0.001  # packets that went in and did not come out: more than what lies in the rings at the end


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def machine():
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    values = {key.strip(): value.strip() for key, value in lines.items()}
    where = "a virtual machine" if "hypervisor" in values["flags"].split() else "bare metal"
    return f"{values['model name']}, family {values['cpu family']} model {values['model']}, {where}"


class Key(NamedTuple):
    suite: str
    direction: str
    size: str
    variant: str
    sessions: int
    workers: int


class Case:
    """All repetitions of one variant, direction, suite and size."""

    def __init__(self):
        self.best, self.bad, self.checked, self.empty, self.lost, self.missing, self.again = None, 0, 0, 0, 0, 0, 0

    def add(self, result):
        if not result or not result["received"]:
            self.empty += 1
            return
        self.bad += result["bad"]
        self.checked += result["checked"]
        self.again += result["again"]
        self.missing = max(self.missing, result["sent"] - result["received"])
        self.lost = max(self.lost, 1 - result["received"] / result["sent"])
        if not self.best or result["mpps"] > self.best["mpps"]:
            self.best = result

    def troubles(self):
        found = []
        if self.empty:
            found.append("no result" if not self.best else f"{self.empty} times no result")
        if self.bad:
            found.append(f"{self.bad} of {self.checked} checked packets WRONG")
        if self.best and not self.checked:
            found.append("nothing was checked")
        if self.lost > LOST:
            found.append(f"{self.lost:.1%} lost")
        if self.again:
            found.append(f"{self.again} segments came again")
        return found


def gather(results):
    cases = {}
    for row in results:
        key = Key(*(row[name] for name in Key._fields))
        cases.setdefault(key, Case()).add(row["result"])
    return dict(sorted(cases.items(), key=lambda item: place(item[0], list(cases))))


def place(key, keys):
    """Each variant's numbers of sessions and workers one below the other, the rest in the order of the measurement."""
    first = next(i for i, other in enumerate(keys) if other[:3] == key[:3])
    variants = list(dict.fromkeys(other.variant for other in keys))
    return first, variants.index(key.variant), key.sessions, key.workers


def peers_best(key, cases):
    """The peer's best rate where everything else is the same; None where none was measured."""
    rates = [
        case.best["mpps"]
        for other, case in cases.items()
        if other._replace(variant="") == key._replace(variant="")
        and not other.variant.startswith("sluice")
        and case.best
        and case.lost <= LOST
    ]
    return max(rates, default=None)


def beside_udp(key, cases):
    """The rate of a TCP variant against that in UDP, everything else the same; None for others, or without it."""
    udp, own = cases.get(key._replace(variant="sluice-udp")), cases[key]
    tcp = key.variant.startswith("sluice-tcp")
    return own.best["mpps"] / udp.best["mpps"] if tcp and udp and udp.best and own.best else None


def fewest(key, cases, name):
    """The same with the fewest sessions or workers; None when this is it."""
    other = key._replace(**{name: min(getattr(k, name) for k in cases)})
    return cases[other].best if other != key and other in cases else None


def crypto_share(crypto, suite, direction, size, cycles):
    costs = [row["cold"][direction] for row in crypto if row["suite"] == suite and row["size"] == size]
    return f"{min(costs):6.0f} {min(costs) / cycles:5.0%}" if costs and cycles else f"{'-':>6} {'-':>5}"


def cell(form, width, value):
    return f"{value:{width}{form}}" if value is not None else " " * width


def line(key, case, cases, crypto):
    text = f"{key.suite:<16} {key.direction:<4} {key.size:>5}  {key.variant:<13} {key.sessions:>8} {key.workers:>7}"
    if case.best:
        best = case.best
        ours = key.variant.startswith("sluice")
        peer, single, one = peers_best(key, cases), fewest(key, cases, "sessions"), fewest(key, cases, "workers")
        text += f" {best['mpps']:7.3f} {best['inner_gbps']:7.2f} {best['cycles']:7.0f} {best['device_cycles']:7.0f} "
        text += crypto_share(crypto, key.suite, key.direction, key.size, best["cycles"]) if ours else " " * 12
        text += cell(".2f", 7, best["mpps"] / peer if ours and peer else None)
        text += cell(".2f", 7, beside_udp(key, cases))
        text += cell(".2f", 9, best["cycles"] / single["cycles"] if single else None)
        text += cell(".2f", 9, best["mpps"] / one["mpps"] if one else None)
    return "  ".join([text.rstrip(), *case.troubles()]).rstrip()


def churn_effect(cases):
    """What others feel of it. A few packets are on their way when the last window ends: fewer than two bursts."""
    still, moving = (
        next((case for key, case in cases.items() if key.variant == name), Case()) for name in ("sluice-udp", "sluice-churn")
    )
    if not still.best or not moving.best:
        return "forwarding with churn: no result"
    return (
        f"forwarding with churn: {moving.best['mpps'] / still.best['mpps']:.1%} of that without; "
        f"{moving.missing} packets of the others did not come out ({still.missing} without churn)"
    )


def main():
    results, crypto, churn = (read(path) for path in sys.argv[1:4])
    cases = gather(results)
    rates = {f"; TSC {case.best['tsc_hz'] / 1e9:.2f} GHz" for case in cases.values() if case.best}
    print(f"machine: {machine()}{''.join(rates)}; {sys.argv[5]}")
    print(f"setting: {sys.argv[4]}")
    print("cycles: of the TSC, a packet, of all workers, without the device's own, which stand beside them; ratio: to the best")
    print("peer; to udp: of TCP's rate to that in UDP; sess x: cycles against the fewest sessions; work x: rate against the fewest workers")
    print()
    heads = f"{'Mpps':>7} {'Gbit/s':>7} {'cycles':>7} {'device':>7} {'crypto':>6} {'share':>5} {'ratio':>6} {'to udp':>6}"
    heads += f" {'sess x':>8} {'work x':>8}"
    print(f"{'suite':<16} {'dir':<4} {'size':>5}  {'who':<13} {'sessions':>8} {'workers':>7} {heads}")
    for key, case in cases.items():
        print(line(key, case, cases, crypto))
    for row in churn:
        print()
        print("churn:", json.dumps(row))
    if churn:
        print(churn_effect(cases))
    return 1 if not cases or any(case.bad or case.empty for case in cases.values()) else 0


sys.exit(main())
