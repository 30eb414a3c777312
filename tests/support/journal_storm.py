"""Writers on one journal, killed and restarted at random, and what they were told against what stands there."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from custody.audit.journal import check_chain
from custody.ports import JournalStore

_WRITER = Path(__file__).with_name("journal_writer.py")
_WITHIN_S = 0.15


@dataclass
class Storm:
    """What happened: acknowledgements by request, kills, and what the writers met."""

    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)
    kills: int = 0
    found_after_kill: int = 0
    """Entries that were written before a kill and acknowledged only after it, by looking."""
    met: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the figures in one line."""
        count = len(self.acknowledged)
        met = ", ".join(f"{code} {times}" for code, times in sorted(self.met.items()))
        return (
            f"{count} acknowledged in {self.seconds:.0f} s ({count / self.seconds:.0f}/s), {self.kills} kills, "
            f"{self.found_after_kill} found after a kill; {met or 'nothing met'}"
        )


def run_storm(store: str, *, writers: int, events: int, kills: int, seed: int) -> Storm:
    """Let so many writers append so many events each, and kill each writer so many times, spread over its work."""
    storm = Storm()
    lock = threading.Lock()
    started = time.monotonic()
    threads = [
        threading.Thread(
            target=_keep_writing,
            args=(storm, lock, store, f"w{number}", events, kills, Random(seed + number)),  # noqa: S311
        )
        for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storm.seconds = time.monotonic() - started
    return storm


def _keep_writing(
    storm: Storm, lock: threading.Lock, store: str, name: str, events: int, kills: int, random: Random
) -> None:
    done = 0
    # After these acknowledgements a kill is due, a random moment later: before, in or after the next append.
    due = sorted(random.sample(range(1, events), kills), reverse=True)
    while done < events:
        process = subprocess.Popen(
            [sys.executable, _WRITER, store, name, str(done), str(events)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        timer: threading.Timer | None = None
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if not line.endswith("\n"):
                    continue  # a kill cut it
                kind, *words = line.split()
                with lock:
                    done = _note(storm, name, kind, words, done)
                if timer is None and due and done >= due[-1]:
                    due.pop()
                    timer = threading.Timer(random.uniform(0, _WITHIN_S), _kill, (process,))
                    timer.start()
            said = process.stderr.read()
        if timer is not None:
            timer.cancel()
        with lock:
            if process.returncode == -signal.SIGKILL:
                storm.kills += 1
            elif process.returncode != 0:
                storm.faults.append(f"{name} left with {process.returncode}: {said[-2000:]}")
                return


def _note(storm: Storm, name: str, kind: str, words: list[str], done: int) -> int:
    """Note one line of a writer, and return how many of its requests are acknowledged."""
    if kind == "met":
        storm.met[words[0]] += int(words[1])
    if kind not in ("ack", "found"):
        return done
    number, seq, entry_hash = words
    storm.found_after_kill += kind == "found"
    if f"{name}-{number}" in storm.acknowledged:
        storm.faults.append(f"{name}-{number} was acknowledged twice")
    storm.acknowledged[f"{name}-{number}"] = (int(seq), entry_hash)
    return int(number) + 1


def _kill(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def demand_one_chain(storm: Storm, journal: JournalStore, *, writers: int, events: int) -> None:
    """One chain, nothing acknowledged and lost, nothing twice."""
    assert storm.faults == []
    assert journal.inspect().findings == ()
    entries = journal.entries()
    check_chain(entries)
    requests = [entry.request_id for entry in entries]
    assert len(requests) == len(set(requests)), "a request was written twice"
    wanted = {f"w{writer}-{number}" for writer in range(writers) for number in range(events)}
    assert set(requests) == wanted
    assert storm.acknowledged == {entry.request_id: (entry.seq, entry.hash) for entry in entries}


Chaos = Callable[[Random], None]


class EverySoOften:
    """Does something at random moments, in a thread, until it is left."""

    def __init__(self, what: Chaos, *, every_s: tuple[float, float], seed: int) -> None:
        self._what = what
        self._every_s = every_s
        self._random = Random(seed)  # noqa: S311
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.times = 0

    def __enter__(self) -> "EverySoOften":
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._random.uniform(*self._every_s)):
            self._what(self._random)
            self.times += 1
