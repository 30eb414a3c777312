"""Measure `audit journal` on long journals in which everything is true: time and highest memory, each in a process.

    audit_speed.py [COUNT…]

Without a policy there is nothing to decide; governed, each of a payment's gates asks the policy about the whole
state. Nothing is asserted about time.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COUNTS = (10_000, 100_000)


def build(path: str, count: str, kind: str) -> dict[str, float]:
    """Write an export."""
    from support.true_journal import true_journal

    started = time.perf_counter()
    with Path(path).open("wb") as export:
        for entry in true_journal(int(count), governed=kind == "governed"):
            export.write(entry.export_line())
    return {"seconds": time.perf_counter() - started}


def audit(path: str) -> dict[str, float]:
    """Audit it; it must be sound."""
    from custody.workflow.audit_journal import Beside, audit_journal

    started, used = time.perf_counter(), time.process_time()
    found = audit_journal(Path(path), Beside())
    assert found.is_sound, found.by_code
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    return {"seconds": seconds, "cpu": cpu, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _in_a_process(*words: str) -> dict[str, float]:
    answer: dict[str, float] = json.loads(subprocess.check_output([sys.executable, __file__, "--task", *words]))
    return answer


def main() -> None:
    """Print a table."""
    if sys.argv[1:2] == ["--task"]:
        task = {"build": build, "audit": audit}[sys.argv[2]]
        sys.stdout.write(json.dumps(task(*sys.argv[3:])))
        return
    counts = [int(word) for word in sys.argv[1:]] or list(COUNTS)
    sys.stdout.write("| entries | journal | seconds | CPU seconds | peak MiB |\n|---:|---|---:|---:|---:|\n")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            for kind in ("ungoverned", "governed"):
                path = str(Path(folder) / f"{kind}-{count}.jsonl")
                _in_a_process("build", path, str(count), kind)
                found = _in_a_process("audit", path)
                row = f"| {count:,} | {kind} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['mib']:.0f} |\n"
                sys.stdout.write(row)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
