"""Measure reviews, addresses and the cold start beside other libraries and a node: `make bench`.

    run.py [--json] [--write docs/benchmarks.md --date 2026-01-31]

Every measurement runs in a process of its own (tests/bench/tasks.py), one after the other,
in the same run. Nothing is asserted about time: the figures depend on the machine. A real
node takes part where tests/support/node.py finds one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TASKS = Path(__file__).resolve().with_name("tasks.py")
CUSTODY = Path(sys.executable).with_name("custody")
COUNTS = (1, 100, 1000)
ADDRESSES = 1000
REVIEW_REPEATS = 5
START_REPEATS = 10
KEPT_BELOW = "## Two engines, a million addresses"
"""What stands in the page from this heading on is kept: it is measured by million_addresses.py."""
Json = dict[str, object]


def run_task(*arguments: str | Path | int) -> Json:
    """Run one task in a process of its own and return what it printed."""
    command = [sys.executable, str(TASKS), *(str(argument) for argument in arguments)]
    answer: Json = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def run_command(arguments: Sequence[str], repeats: int) -> Json:
    """Run a whole command several times, after once unmeasured: median seconds and highest resident size."""
    seconds, peaks = [], []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - started)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{arguments} ended with {process.returncode}")
        peaks.append(usage.ru_maxrss)
    return {"seconds": statistics.median(seconds[1:]), "peak_kib": max(peaks)}


def measure(folder: Path) -> Json:
    """Measure everything."""
    vault, descriptor = folder / "vault.yaml", folder / "descriptor.txt"
    sizes = run_task("build", folder, *COUNTS)["bytes"]
    result: dict[str, Json] = {"cold_start": run_command([str(CUSTODY), "--help"], START_REPEATS)}
    result["review_library"] = {str(count): run_task("review_library", _psbt(folder, count), vault) for count in COUNTS}
    review = [str(CUSTODY), "psbt", "review", "--vault-file", str(vault)]
    result["review_command"] = {
        str(count): run_command([*review, str(_psbt(folder, count))], REVIEW_REPEATS) for count in COUNTS
    }
    for task in ("parse_library", "parse_embit", "parse_libwally"):
        result[task] = {str(count): run_task(task, _psbt(folder, count)) for count in COUNTS}
    result["addresses"] = {
        name: run_task(f"addresses_{name}", descriptor, ADDRESSES) for name in ("custody", "libwally", "embit")
    }
    node = run_task("node", folder, ADDRESSES, *COUNTS)
    _require_same_addresses([*result["addresses"].values(), *([node] if node else [])])
    return {"bytes": sizes, **result, "node": node}


def _psbt(folder: Path, count: int) -> Path:
    return folder / f"{count}.psbt"


def _require_same_addresses(answers: Sequence[object]) -> None:
    """Compare what was derived: a quick wrong answer is no answer."""
    ends = {(answer["first"], answer["last"]) for answer in answers if isinstance(answer, dict)}
    if len(ends) != 1:
        raise RuntimeError(f"the libraries derived different addresses: {ends}")


def to_table(result: Json) -> str:
    """Return the tables, as Markdown."""
    timed = (
        ("review, library (parse and review, both engines)", "review_library"),
        ("review, whole command `custody psbt review`", "review_command"),
        ("parse, custody", "parse_library"),
        ("parse, embit", "parse_embit"),
        ("parse, libwally", "parse_libwally"),
    )
    lines = [
        "| 3-of-5, every input fully signed | "
        + " | ".join(f"inputs: {count:,}" for count in COUNTS)
        + " | ratio of the last two |",
        "|---|" + "---:|" * (len(COUNTS) + 1),
        "| size of the PSBT | " + " | ".join(f"{_number(result, 'bytes', count):,.0f} B" for count in COUNTS) + " | |",
        *(_timed_row(label, result, name) for label, name in timed),
        _node_row(result),
        *(_memory_row(label, result, name) for label, name in timed),
        "",
        "| Addresses of one 3-of-5 vault | per second |",
        "|---|---:|",
        *(
            f"| {label} | {_number(result, 'addresses', name, 'per_second'):,.0f} |"
            for label, name in (("custody, first engine", "custody"), ("libwally", "libwally"), ("embit", "embit"))
        ),
        f"| node, `deriveaddresses` | {_number(result, 'node', 'per_second'):,.0f} |"
        if result["node"]
        else "| node, `deriveaddresses` | no node |",
        "",
        "| Cold start | median |",
        "|---|---:|",
        f"| `custody --help` | {_number(result, 'cold_start', 'seconds') * 1000:.0f} ms |",
    ]
    return "\n".join(lines)


def _number(result: object, *path: str | int) -> float:
    for step in path:
        assert isinstance(result, dict)
        result = result[str(step)]
    assert isinstance(result, int | float)
    return result


def _timed_row(label: str, result: Json, name: str) -> str:
    return _seconds_row(label, [_number(result, name, count, "seconds") for count in COUNTS])


def _node_row(result: Json) -> str:
    label = "node, `analyzepsbt`"
    if not result["node"]:
        return f"| {label} | " + " | ".join("no node" for _ in COUNTS) + " | |"
    return _seconds_row(label, [_number(result, "node", "analyzepsbt", count) for count in COUNTS])


def _seconds_row(label: str, seconds: Sequence[float]) -> str:
    shown = " | ".join(f"{one:.3f} s" if one >= 0.01 else f"{one * 1000:.2f} ms" for one in seconds)
    return f"| {label} | {shown} | {seconds[-1] / seconds[-2]:.1f} |"


def _memory_row(label: str, result: Json, name: str) -> str:
    peaks = " | ".join(f"{_number(result, name, count, 'peak_kib') / 1024:.0f} MiB" for count in COUNTS)
    return f"| peak memory of the process: {label} | {peaks} | |"


def to_page(result: Json, *, date: str, note: str, kept: str) -> str:
    """Return docs/benchmarks.md."""
    node = result["node"]
    version = node["version"] if isinstance(node, dict) and node else "none"
    python = ".".join(str(part) for part in sys.version_info[:2])
    return f"""# Benchmarks

`make bench` measures all of this in one run and prints it; `tests/bench/run.py --write docs/benchmarks.md --date DATE`
writes this page. Nothing in the tests depends on these times.

Measured on {date}, 2 cores, Linux, Python {python}, node: {version}. {note}

Medians of five; each measurement has a process of its own. A ratio of 10 in the last column is linear growth.
A review parses the PSBT, derives every script by both engines, hashes every previous transaction and verifies every
signature; the parsers and `analyzepsbt` beside it do less (the node's verifies signatures, the parsers none). Memory
is the highest resident size of the whole process, so the first column is what the interpreter and the libraries take.

{to_table(result)}

The libraries and the node derived the same addresses; the run ends if they don't. libwally is asked for all addresses
in one call, the node for all in one call over JSON-RPC.

{kept}"""


def main() -> int:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    parser.add_argument("--date", help="the day of the measurement, for the page")
    parser.add_argument("--note", default="", help="a sentence for the page")
    options = parser.parse_args()
    if options.write and not options.date:
        parser.error("--write needs --date")
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as folder:
        # Bytecode is kept between the runs, as it is where the project is installed.
        os.environ.update(PYTHONPYCACHEPREFIX=str(Path(folder) / "bytecode"), PYTHONDONTWRITEBYTECODE="")
        result = measure(Path(folder))
    print(json.dumps(result, indent=2) if options.json else to_table(result))
    if options.write:
        before = options.write.read_text() if options.write.exists() else ""
        kept = KEPT_BELOW + before.partition(KEPT_BELOW)[2] if KEPT_BELOW in before else ""
        options.write.write_text(to_page(result, date=options.date, note=options.note, kept=kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
