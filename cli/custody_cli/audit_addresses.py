"""`custody audit addresses`: any range of both branches rebuilt by two engines, as a stream of any length."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import click

from custody import atomic
from custody.audit.reconstruct import (
    ENGINES,
    AddressRange,
    RebuiltAddress,
    RunningDigest,
    branches_of,
)
from custody.documents.display import group_address
from custody.errors import Finding, JsonValue
from custody.vault.vault import Vault
from custody.workflow.rebuild_addresses import rebuild_addresses
from custody_cli.audit_sources import VaultArguments, VaultChoice, vault_options
from custody_cli.long_work import shown_progress
from custody_cli.options import STDIO, CustodyCommand, examples
from custody_cli.output import Answer, Line, StreamedAnswer, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session

_MAX_COUNT = 10_000_000
_DEFAULT_COUNT = 1_000
"""The window that an auditor looks through on each branch at least (A29)."""
_FORMATS = ("table", "csv", "jsonl")
_CSV_HEAD = "branch,index,address,script_pubkey\n"


@dataclass(frozen=True, slots=True)
class _Rebuilding:
    """One command's work: what is rebuilt, and the forms in which it comes out."""

    session: Session
    vault: Vault
    findings: tuple[Finding, ...]
    """What is worth saying about the file that the vault was read from."""
    wanted: AddressRange
    processes: int
    to_stdout: bool

    def pieces(self, digest: RunningDigest) -> Iterator[list[RebuiltAddress]]:
        """Yield the addresses, counted and digested, with progress."""
        with shown_progress(self.session, results_on_stdout=self.to_stdout) as progress:
            for piece in rebuild_addresses(self.vault, self.wanted, progress, processes=self.processes):
                digest.add(piece)
                yield piece

    def table(self, digest: RunningDigest) -> Iterator[Line]:
        """Yield lines for people; the last one says that it is complete."""
        for piece in self.pieces(digest):
            for one in piece:
                yield f"{one.branch.label:<7} {one.index:>7}  {group_address(one.address)}"
        yield from self.closing(digest)

    def closing(self, digest: RunningDigest) -> Iterator[Line]:
        """Yield what every form for people ends with."""
        end = self.wanted.start + self.wanted.count - 1
        which = " and ".join(branch.label for branch in self.wanted.branches)
        yield Styled(
            f"complete: {digest.count:,} addresses, {which} {self.wanted.start} to {end}, "
            f"each derived by two engines ({', '.join(ENGINES)}) that agree",
            Style.GOOD,
        )
        yield f"vault_id {self.vault.vault_id}, {self.vault.network}"
        yield from finding_lines(self.findings)
        yield f"sha256 {digest.sha256}"

    def csv(self, digest: RunningDigest) -> Iterator[bytes]:
        """Yield CSV: digits, hex and addresses alone, none of which a spreadsheet runs."""
        for line in finding_lines(self.findings) if self.to_stdout else ():
            self.session.talk(line.text if isinstance(line, Styled) else line)
        yield _CSV_HEAD.encode()
        for piece in self.pieces(digest):
            yield "".join(one.to_line() for one in piece).encode()
        yield f"complete,{digest.count},sha256,{digest.sha256}\n".encode()

    def jsonl(self, digest: RunningDigest) -> Iterator[bytes]:
        """Yield one JSON object a line; the last one says that it is complete."""
        for piece in self.pieces(digest):
            yield "".join(json.dumps(_row(one)) + "\n" for one in piece).encode()
        yield (json.dumps({"complete": True, **self.facts(digest)}) + "\n").encode()

    def document(self, digest: RunningDigest) -> Iterator[str]:
        """Yield one JSON document: `network` and `addresses` as `address list` has them, then what closes it."""
        yield f'{{\n  "network": "{self.vault.network}",\n  "addresses": ['
        separator = "\n    "
        for piece in self.pieces(digest):
            for one in piece:
                yield separator + json.dumps(_row(one))
                separator = ",\n    "
        closing = {name: value for name, value in self.facts(digest).items() if name != "network"}
        yield f'\n  ],\n  "complete": true,\n  {json.dumps(closing, indent=2)[1:-1].strip()}\n}}\n'

    def facts(self, digest: RunningDigest) -> dict[str, JsonValue]:
        """Return what was rebuilt, and its digest."""
        return {
            "network": str(self.vault.network),
            "vault_id": self.vault.vault_id,
            "branches": [branch.label for branch in self.wanted.branches],
            "start": self.wanted.start,
            "count": digest.count,
            "engines": list(ENGINES),
            "sha256": digest.sha256,
            "findings": findings_json(self.findings),
        }


def _row(one: RebuiltAddress) -> dict[str, JsonValue]:
    return {
        "branch": one.branch.label,
        "index": one.index,
        "address": one.address,
        "script_pubkey": one.script_pubkey.hex(),
    }


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit addresses --vault-file vault.yaml",
        "custody audit addresses --descriptor descriptor.txt --network main --count 100000 --format csv -o all.csv",
        "custody audit addresses --vault-file vault.yaml --branch change --start 5000 --count 10 --json",
    ),
)
@vault_options
@click.option("--branch", type=click.Choice(("receive", "change", "both")), default="both", show_default=True)
@click.option("--start", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N")
@click.option(
    "--count",
    type=click.IntRange(1, _MAX_COUNT),
    default=_DEFAULT_COUNT,
    show_default=True,
    metavar="N",
    help="How many indexes of each branch.",
)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: by the ending of FILE, else a table.")
@click.option("-o", "--output", metavar="FILE", help="A new file, whole or not at all; stdout by default.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    metavar="N",
    help="How many take part in long work; default: one for each core. The result is the same.",
)
@click.pass_obj
def addresses(
    session: Session,
    /,
    branch: str,
    start: int,
    count: int,
    form: str | None,
    output: str | None,
    processes: int | None,
    **vault: Unpack[VaultArguments],
) -> Answer | StreamedAnswer:
    """Rebuild addresses from the descriptor alone, by two engines that share no code.

    Nothing is looked up, recorded or reserved. The last line says that all is there, with how many and a SHA-256 of all
    lines `branch,index,address,script_pubkey`, the same in every format. A difference between the engines is exit 3.
    """
    loaded, findings = VaultChoice(**vault).load_noting(session)
    wanted = AddressRange(branches_of(loaded.descriptor, branch), start, count)
    target = None if output in (None, STDIO) else output
    cores = processes or len(os.sched_getaffinity(0))
    work = _Rebuilding(session, loaded, findings, wanted, cores, to_stdout=target is None)
    chosen = form or _form_of(output)
    if target is not None:
        return _written(work, chosen, target)
    if session.as_json and form is not None:
        raise click.UsageError("--json or --format, not both, unless -o names a file")
    raw = {"csv": work.csv, "jsonl": work.jsonl}.get(chosen)
    return StreamedAnswer(
        lambda: work.document(RunningDigest()),
        lambda: work.table(RunningDigest()),
        None if raw is None else lambda: raw(RunningDigest()),
    )


def _form_of(output: str | None) -> str:
    ending = Path(output or "").suffix.lower().removeprefix(".")
    return ending if ending in _FORMATS else "table"


def _written(work: _Rebuilding, form: str, target: str) -> Answer:
    digest = RunningDigest()
    raw = {"csv": work.csv, "jsonl": work.jsonl}.get(form)
    path = Path(target)
    atomic.require_creatable(path)  # known before an hour of work
    atomic.create_file_from(path, _as_bytes(work.table(digest)) if raw is None else raw(digest))
    facts: dict[str, JsonValue] = {"file": target, "format": form, "complete": True, **work.facts(digest)}
    return Answer(facts, lambda: (f"wrote {target}", *work.closing(digest)))


def _as_bytes(lines: Iterator[Line]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line.text if isinstance(line, Styled) else line}\n".encode()
