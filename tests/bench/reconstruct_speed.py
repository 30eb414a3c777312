"""Measure what an auditor waits for: addresses rebuilt by two engines, and a copy of the UTXO set read in full.

    reconstruct_speed.py [--addresses 100000] [--coins 2000000]

Each figure is of a whole process of its own; memory is the highest resident size, of the largest process where
several take part. A tenth of each is measured too, so that memory that grows is seen. The copy of the UTXO set is
made up, its scripts mixed about as on main. Wall time and CPU time stand side by side, since the machine may have
other work.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.psbt_builder import TestVault
from support.utxo_dumps import DumpCoin, header, set_hash, transaction

PEAK = """
import resource
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak_kib", max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""
"""The process itself says it: what the system reports to a parent counts the parent's own size too."""
REBUILD = """
import sys
from custody_cli.app import execute
if execute(sys.argv[1:]):
    sys.exit(1)
"""
READ = """
import sys
from pathlib import Path
from custody.chain.utxo_dump import UtxoDump
from custody.ports import no_progress
dump = UtxoDump.open(Path(sys.argv[1]))
scripts = frozenset(b"\\x00\\x20" + number.to_bytes(32, "big") for number in range(2000))
reading = getattr(dump, sys.argv[2])(scripts, no_progress)
print(reading.coin_count, reading.txoutset_hash)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took, with its helpers."""

    seconds: float
    cpu: float
    peak_mib: float
    output: str


def run(program: str, *arguments: str | Path) -> Run:
    """Run a Python program to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-c", program + PEAK, *(str(one) for one in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    seconds = time.perf_counter() - started
    peak_kib = int(output.rpartition("peak_kib")[2])
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak_kib / 1024, output)


def rebuild(folder: Path, count: int, processes: int) -> Run:
    """Rebuild `count` addresses of a 3-of-5, half of them on each branch, into a CSV file."""
    target = folder / f"{count}-{processes}.csv"
    asked = ["audit", "addresses", "--descriptor", folder / "vault.txt", "--network", "regtest"]
    took = run(REBUILD, *asked, "--count", str(count // 2), "--processes", str(processes), "-o", target)
    lines = target.read_text().splitlines()
    if len(lines) != count + 2 or not lines[-1].startswith(f"complete,{count},"):
        raise RuntimeError("the file is not whole")
    return took


def made_up(count: int) -> Iterator[list[DumpCoin]]:
    """Yield transactions in a node's order, `count` coins together."""
    rng = random.Random(count)  # noqa: S311 (reproducible, not secret)
    number = 0
    while count:
        number += 1
        txid = (number << 200 | rng.getrandbits(199)).to_bytes(32, "big")[::-1].hex()
        outputs = min(count, 1 if rng.random() < 0.75 else rng.randrange(2, 7))
        yield [
            DumpCoin(
                txid,
                vout,
                rng.choice((330, 546, rng.randrange(10**5), rng.randrange(10**8))),
                made_up_script(rng),
                rng.randrange(500_000, 960_000),
            )
            for vout in range(outputs)
        ]
        count -= outputs


def made_up_script(rng: random.Random) -> bytes:
    """Return a script of one of the usual kinds."""
    kind = rng.random()
    if kind < 0.30:
        return b"\x00\x14" + rng.randbytes(20)
    if kind < 0.60:
        return b"\x76\xa9\x14" + rng.randbytes(20) + b"\x88\xac"
    if kind < 0.70:
        return b"\xa9\x14" + rng.randbytes(20) + b"\x87"
    return (b"\x00\x20" if kind < 0.72 else b"\x51\x20") + rng.randbytes(32)


def write_dump(folder: Path, count: int) -> Path:
    """Write a file of `count` coins."""
    path = folder / f"{count}.dat"
    with path.open("wb") as file:
        file.write(header("main", "ab" * 32, count))
        for outputs in made_up(count):
            file.write(transaction(outputs[0].txid, outputs))
    return path


def read(path: Path, how: str) -> Run:
    """Read such a file in a process of its own."""
    return run(READ, path, how)


def row(label: str, count: int, took: Run) -> str:
    """Return one line of the table."""
    return (
        f"| {label} | {count:,} | {took.seconds:.1f} s | {took.cpu:.1f} s | {count / took.seconds:,.0f} | "
        f"{count / took.cpu:,.0f} | {took.peak_mib:.0f} MiB |"
    )


def main() -> int:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--addresses", type=int, default=100_000)
    parser.add_argument("--coins", type=int, default=2_000_000)
    options = parser.parse_args()
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| | number | seconds | CPU seconds | per second | per CPU second | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as name:
        folder = Path(name)
        (folder / "vault.txt").write_text(TestVault().descriptor_text)
        cores = len(os.sched_getaffinity(0))
        for count in (options.addresses // 10, options.addresses):
            for processes in dict.fromkeys((1, cores)):
                label = f"addresses of a 3-of-5 by two engines, {processes} process(es)"
                print(row(label, count, rebuild(folder, count, processes)), flush=True)
        small = write_dump(folder, options.coins // 10)
        told = set_hash(coin for outputs in made_up(options.coins // 10) for coin in outputs)
        large = write_dump(folder, options.coins)
        for how, words in (("read", "without its hash"), ("read_hashed", "with its hash")):
            for count, path in ((options.coins // 10, small), (options.coins, large)):
                took = read(path, how)
                if how == "read_hashed" and path is small and took.output.split()[1] != told:
                    raise RuntimeError("the hash differs from the encoder's")
                print(row(f"copy of the UTXO set, {words}", count, took), flush=True)
    print(f"\nload of the machine at the end: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
