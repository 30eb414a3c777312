"""What the journal proves about each key: alive when, and verified in which combinations.

Every signature is verified again here: rehearsals are built anew from the vault, payments from their PSBTs. Works on
a workspace and on an export, with no clock, no node and no device.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path

from custody.audit.key_proofs import KeyStanding, overdue_findings
from custody.audit.signers import Signers
from custody.audit.state import State
from custody.bitcoin import kernel
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity
from custody.ports import Progress
from custody.spend.expiry import format_time
from custody.spend.rehearsal import Rehearsal
from custody.vault.vault import Vault
from custody.workflow.device_check import recorded_signatures
from custody.workflow.key_standings import key_standings
from custody.workflow.office import open_office
from custody.workflow.open_export import open_export
from custody.workflow.recorded_rehearsals import rehearsal_findings, verified_signers
from custody.workflow.verify_rehearsal import rehearsal_scripts, verify_combinations
from custody.workspace.layout import Workspace


@dataclass(frozen=True, slots=True)
class CheckRounds:
    """What the rehearsals together show."""

    alone: tuple[str, ...]
    """Cosigners whose key signed a rehearsal that was verified by itself."""
    verified: int
    """Combinations of exactly the threshold that satisfied every input's script in one rehearsal."""
    of_vault: int
    missing: tuple[str, ...]
    """Cosigners whose signatures of the newest rehearsal are still to come."""
    newest: int
    """Number of the newest rehearsal that anybody signed, 0 for none."""

    @property
    def is_complete(self) -> bool:
        """Whether every combination of the vault was verified."""
        return self.verified == self.of_vault


@dataclass(frozen=True, slots=True)
class KeyAudit:
    """The keys of a vault, as its journal proves them."""

    vault: Vault
    height: int | None
    time: int | None
    """The newest tip's; None before the first sync."""
    interval: int | None
    standings: tuple[KeyStanding, ...]
    """In the vault's order."""
    rounds: CheckRounds
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return what `audit keys --json` says."""
        rounds = self.rounds
        return {
            "vault_id": self.vault.vault_id,
            "vault_name": self.vault.name,
            "height": self.height,
            "time": None if self.time is None else format_time(self.time),
            "prove_every_seconds": self.interval,
            "keys": [one.to_json() for one in self.standings],
            "rounds": {
                "newest": rounds.newest,
                "keys_alone": [*rounds.alone],
                "combinations_verified": rounds.verified,
                "combinations_of_vault": rounds.of_vault,
                "complete": rounds.is_complete,
                "missing": [*rounds.missing],
                "kernel_verified": kernel.is_available(),
            },
            "findings": [one.to_json() for one in self.findings],
        }


def audit_workspace_keys(workspace: Workspace, progress: Progress) -> KeyAudit:
    """Audit the keys of the workspace's vault. Raises as `open_office`."""
    office = open_office(workspace)
    return audit_keys(office.state, office.vault, progress)


def audit_exported_keys(path: Path, *, expected: Vault | None, expect_head: str | None, progress: Progress) -> KeyAudit:
    """Audit the keys by an export or a backup. Raises as `open_export`."""
    export = open_export(path, expected=expected, expect_head=expect_head, progress=progress)
    return audit_keys(export.state, export.vault, progress)


def audit_keys(state: State, vault: Vault, progress: Progress) -> KeyAudit:
    """Return what a journal's state proves about the keys.

    Raises:
        CheckFailed: a combination of verified signatures does not satisfy the vault's script.
    """
    signers = verified_signers(vault, state.signers)
    rounds = _rounds(vault, signers, progress)
    policy = state.governance.policy
    interval = None if policy is None else policy.prove_keys_every
    standings = key_standings(state, vault, signers)
    findings = [*rehearsal_findings(vault, state.signers), *overdue_findings(standings, interval)]
    if not rounds.is_complete and not vault.receive_only:
        findings.append(_not_together(rounds))
    tip = state.tip
    return KeyAudit(
        vault,
        None if tip is None else tip.height,
        None if tip is None else tip.median_time_past,
        interval,
        standings,
        rounds,
        tuple(findings),
    )


def _rounds(vault: Vault, signers: Signers, progress: Progress) -> CheckRounds:
    """Put together every combination of the threshold that signed one rehearsal, the newest rehearsals first."""
    total = comb(len(vault.cosigners), vault.threshold)
    names = tuple(one.name for one in vault.cosigners)
    alone = tuple(name for name in names if signers.of(name).rehearsals)
    newest = signers.newest_rehearsal
    covered: set[tuple[str, ...]] = set()
    missing = names
    for number in sorted({one.number for name in alone for one in signers.of(name).rehearsals}, reverse=True):
        rehearsal = Rehearsal.of(vault, number)
        signed = recorded_signatures(vault, signers, rehearsal)
        if number == newest:
            missing = tuple(name for name in names if name not in signed)
        fresh = set(combinations(signed, vault.threshold)) - covered
        if fresh:
            verify_combinations(vault, rehearsal, signed, rehearsal_scripts(vault, rehearsal), progress)
            covered |= fresh
        if len(covered) == total:
            break
    return CheckRounds(alone, len(covered), total, missing, newest)


def _not_together(rounds: CheckRounds) -> Finding:
    waiting = f"; rehearsal {rounds.newest} waits for {', '.join(rounds.missing)}" if rounds.newest else ""
    return Finding(
        Code.KEYS_NOT_REHEARSED_TOGETHER,
        Severity.NOTE,
        "vault",
        f"{rounds.verified} of the {rounds.of_vault} combinations of keys that can spend were verified{waiting}",
        "Let every key sign the newest rehearsal: `custody device check NAME`.",
    )
