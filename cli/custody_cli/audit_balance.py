"""`custody audit balance`: what a vault held at one or more blocks, by ways that must agree."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import click

from custody.audit.balance import BlockBalance
from custody.audit.state import State
from custody.bitcoin.block_evidence import EvidenceSummary
from custody.chain.utxo_dump import UtxoDump
from custody.errors import Finding
from custody.vault.vault import Vault
from custody.workflow.audit_window import MAX_WINDOW
from custody.workflow.balance_at import BalanceQuestion, balances_at
from custody.workflow.balance_blocks import height_of_block
from custody.workflow.balance_of_dump import DumpChoice, balance_of_dump
from custody.workflow.open_export import open_export
from custody.workflow.sync_coins import WINDOW
from custody_cli.audit_balance_options import BlockChoice, BlockHash, Moment
from custody_cli.audit_balance_screen import balance_json, balance_lines
from custody_cli.audit_sources import (
    ChainArguments,
    ChainChoice,
    VaultChoice,
    chain_options,
    vault_options,
)
from custody_cli.evidence_screen import evidence_of, with_evidence
from custody_cli.long_work import shown_progress
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer
from custody_cli.session import Session

_DIFFERS = 3
_INCOMPLETE = 9
_path = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose balance it is, and who claims what about it."""

    vault: Vault
    journal: State | None
    findings: tuple[Finding, ...]


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit balance --vault-file vault.yaml --node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie",
        "custody audit balance --descriptor vault.txt --network main --date 2026-12-31 --node http://127.0.0.1:8332",
        "custody audit balance --journal export.jsonl --height 900000 --height 910000 --node http://127.0.0.1:8332",
        "custody audit balance --vault-file vault.yaml --utxo-dump utxo.dat --expect-txoutset-hash HASH --block HASH",
    ),
)
@vault_options
@click.option(
    "--journal", type=_path, metavar="EXPORT", help="Hold the claims of an exported journal against the chain."
)
@click.option(
    "--height", "heights", type=click.IntRange(min=0), multiple=True, metavar="N", help="Right after block N."
)
@click.option("--block", "hashes", type=BlockHash(), multiple=True, metavar="HASH", help="Right after this block.")
@click.option(
    "--date",
    "moments",
    type=Moment(),
    multiple=True,
    metavar="YYYY-MM-DD[THH:MMZ]",
    help="At the last block whose median time past is not later, in UTC; a day means its last second.",
)
@click.option(
    "--window",
    type=click.IntRange(WINDOW, MAX_WINDOW),
    default=WINDOW,
    show_default=True,
    metavar="N",
    help="Scripts searched on each branch at least; more where the end is in use.",
)
@click.option(
    "--birth-height",
    type=click.IntRange(min=0),
    metavar="N",
    help="Search the history from this block on, instead of from the vault file's. Older coins are found all the same.",
)
@click.option("--utxo-dump", type=_path, metavar="FILE", help="A copy of the UTXO set, as `dumptxoutset` writes it.")
@click.option(
    "--expect-txoutset-hash",
    type=BlockHash(),
    metavar="HASH",
    help="What `dumptxoutset` of your own node prints as `txoutset_hash` for that block.",
)
@chain_options
@click.pass_obj
def balance(
    session: Session,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
    journal: Path | None,
    heights: tuple[int, ...],
    hashes: tuple[str, ...],
    moments: tuple[int, ...],
    window: int,
    birth_height: int | None,
    utxo_dump: Path | None,
    expect_txoutset_hash: str | None,
    **chain: Unpack[ChainArguments],
) -> Answer:
    """Say what the vault held right after one or more blocks, by at least two ways that must agree.

    The history of a watch-only wallet on your node is replayed; and today's unspent outputs are taken with the
    later blocks undone, for which no wallet is asked. A journal's claim and a copy of the UTXO set are compared
    where they are given. Where the ways differ there is no balance: exit 3, and each coin is named with who lacks
    it. Exit 9 where something is missing. Several blocks in one call cost little more than one.
    """
    blocks = BlockChoice(heights, hashes, moments)
    if utxo_dump is None and expect_txoutset_hash is not None:
        raise click.UsageError("--expect-txoutset-hash goes with --utxo-dump")
    if utxo_dump is not None and (heights or moments or len(hashes) > 1):
        raise click.UsageError("a copy of the UTXO set is of one block: name it with --block, or not at all")
    subject = _subject(session, VaultChoice(vault_file, descriptor, network), journal)
    view = ChainChoice(**chain)
    dump = None if utxo_dump is None else DumpChoice(UtxoDump.open(utxo_dump), expect_txoutset_hash, *hashes)
    question = BalanceQuestion((), window, birth_height, subject.journal, dump)
    evidence: EvidenceSummary | None = None
    with shown_progress(session, results_on_stdout=False) as progress:
        if dump is not None and not view.is_own:
            found: tuple[BlockBalance, ...] = (
                balance_of_dump(subject.vault, dump, journal=subject.journal, window=window, progress=progress),
            )
            asked = f"the copy of the UTXO set `{utxo_dump}`"
        else:
            with view.opened(session, subject.vault.network) as backend:
                at = blocks.on(backend) if dump is None else (height_of_block(backend, dump.dump.block_hash),)
                found = balances_at(subject.vault, backend, replace(question, heights=at), progress)
                evidence = evidence_of(backend)
            asked = view.describe()
    told = _answer([_with(one, subject.findings) for one in found], asked, by_time=bool(moments))
    return told if evidence is None else with_evidence(told, evidence)


def _subject(session: Session, choice: VaultChoice, journal: Path | None) -> _Subject:
    if journal is None:
        vault, findings = choice.load_noting(session)
        return _Subject(vault, None, findings)
    expected, findings = choice.load_noting(session) if choice.is_given else (None, ())
    export = open_export(journal, expected=expected, progress=session.progress)
    return _Subject(expected or export.vault, export.state, (*findings, *export.findings))


def _with(found: BlockBalance, findings: tuple[Finding, ...]) -> BlockBalance:
    return replace(found, findings=(*findings, *found.findings))


def _answer(balances: list[BlockBalance], asked: str, *, by_time: bool) -> Answer:
    each = [balance_json(one, asked, by_time=by_time) for one in balances]
    exit_code = 0
    if any(one.is_complete and not one.is_agreed for one in balances):
        exit_code = _DIFFERS  # an alarm, whatever is missing elsewhere
    elif not all(one.is_complete for one in balances):
        exit_code = _INCOMPLETE
    json = each[0] if len(each) == 1 else {"balances": each}
    return Answer(json, lambda: balance_lines(balances, asked, by_time=by_time), exit_code)
