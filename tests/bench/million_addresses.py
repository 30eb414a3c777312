"""Compare the two engines over many addresses of random vaults: `python tests/bench/million_addresses.py --count N`.

Vaults run from 2-of-3 to 7-of-15, of both script types, on all networks; a run of indexes
on each branch starts anywhere below 2**31. Prints vaults, addresses, differences, seconds,
and exits 1 on any difference.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion
from support.random_vaults import BOTH_BRANCHES, random_descriptor


@dataclass(frozen=True, slots=True)
class Task:
    """One vault to compare: its own seed and how many addresses, shared by the two branches."""

    seed: str
    addresses: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one or more vaults gave."""

    vaults: int
    addresses: int
    differences: tuple[str, ...]


def compare_vault(task: Task) -> Comparison:
    """Derive one random vault's addresses by both engines."""
    rng = random.Random(task.seed)  # noqa: S311 (reproducible, not secret)
    network = rng.choice(tuple(Network))
    descriptor = random_descriptor(rng, network)
    text = descriptor.to_text(network)
    deriver, second = ScriptDeriver(descriptor), SecondOpinion(text, network)
    receive = task.addresses // 2
    differences: list[str] = []
    for branch, count in zip(BOTH_BRANCHES, (receive, task.addresses - receive), strict=True):
        start = rng.choice((0, rng.randrange(2**31 - count)))
        for offset, theirs in enumerate(second.addresses(branch, start, count)):
            ours = deriver.address_at(branch, start + offset, network)
            if ours != theirs:
                differences.append(f"{text} {branch}/{start + offset}: {ours} {theirs}")
    return Comparison(1, task.addresses, tuple(differences))


def plan(count: int, seed: int, per_vault: int) -> list[Task]:
    """Share `count` addresses among vaults of `per_vault` each; the last takes the rest."""
    sizes = [per_vault] * (count // per_vault) + ([count % per_vault] if count % per_vault else [])
    return [Task(f"{seed}/{number}", size) for number, size in enumerate(sizes)]


def compare(count: int, seed: int, *, per_vault: int = 500, processes: int = 2) -> Comparison:
    """Compare `count` addresses in up to `processes` processes."""
    tasks = plan(count, seed, per_vault)
    if processes == 1:
        return _add(map(compare_vault, tasks))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return _add(pool.map(compare_vault, tasks, chunksize=max(1, min(20, len(tasks) // (4 * processes)))))


def _add(parts: Iterable[Comparison]) -> Comparison:
    vaults, addresses = 0, 0
    differences: list[str] = []
    for part in parts:
        vaults, addresses = vaults + part.vaults, addresses + part.addresses
        differences += part.differences
    return Comparison(vaults, addresses, tuple(differences))


def main() -> int:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-vault", type=int, default=500)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    started = time.monotonic()
    result = compare(options.count, options.seed, per_vault=options.per_vault, processes=options.processes)
    print(
        f"vaults {result.vaults}  addresses {result.addresses}  differences {len(result.differences)}  "
        f"seconds {time.monotonic() - started:.1f}"
    )
    for difference in result.differences[:20]:
        print(difference)
    return 1 if result.differences else 0


if __name__ == "__main__":
    sys.exit(main())
