#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of a measurement. Called by tests/bench/run: report.py RESULTS CRYPTO CHURN SETTINGS LOAD."""

import json
import sys

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


class Case:
    """All repetitions of one variant, direction, suite and size."""

    def __init__(self):
        self.best, self.bad, self.checked, self.empty, self.lost = None, 0, 0, 0, 0

    def add(self, result):
        if not result or not result["received"]:
            self.empty += 1
            return
        self.bad += result["bad"]
        self.checked += result["checked"]
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
        return found


def gather(results):
    cases = {}
    for row in results:
        key = row["suite"], row["direction"], row["size"], row["variant"]
        cases.setdefault(key, Case()).add(row["result"])
    return cases


def crypto_share(crypto, suite, direction, size, cycles):
    costs = [row["cold"][direction] for row in crypto if row["suite"] == suite and row["size"] == size]
    return f"{min(costs):6.0f} {min(costs) / cycles:5.0%}" if costs and cycles else f"{'-':>6} {'-':>5}"


def line(key, case, cases, crypto):
    suite, direction, size, variant = key
    peers = [
        other.best["mpps"]
        for (s, d, z, v), other in cases.items()
        if (s, d, z) == (suite, direction, size) and not v.startswith("sluice") and other.best and other.lost <= LOST
    ]
    text = f"{suite:<16} {direction:<4} {size:>5}  {variant:<12}"
    if case.best:
        best = case.best
        ours = variant.startswith("sluice")
        ratio = f"{best['mpps'] / max(peers):6.2f}" if ours and peers else f"{'':6}"
        share = crypto_share(crypto, suite, direction, size, best["cycles"]) if ours else f"{'':12}"
        text += f" {best['mpps']:7.3f} {best['inner_gbps']:7.2f} {best['cycles']:7.0f} {best['device_cycles']:7.0f}"
        text += f" {share} {ratio}"
    return "  ".join([text, *case.troubles()]).rstrip()


def main():
    results, crypto, churn = (read(path) for path in sys.argv[1:4])
    cases = gather(results)
    rates = {f"; TSC {case.best['tsc_hz'] / 1e9:.2f} GHz" for case in cases.values() if case.best}
    print(f"machine: {machine()}{''.join(rates)}; {sys.argv[5]}")
    print(f"setting: {sys.argv[4]}")
    print("cycles: of the TSC, a packet, without the device's own, which stand beside them; ratio: to the best peer")
    print()
    heads = f"{'Mpps':>7} {'Gbit/s':>7} {'cycles':>7} {'device':>7} {'crypto':>6} {'share':>5} {'ratio':>6}"
    print(f"{'suite':<16} {'dir':<4} {'size':>5}  {'who':<12} {heads}")
    for key, case in cases.items():
        print(line(key, case, cases, crypto))
    for row in churn:
        print()
        print("churn:", json.dumps(row))
    return 1 if not cases or any(case.bad or case.empty for case in cases.values()) else 0


sys.exit(main())
