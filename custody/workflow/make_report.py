"""Make a report from the workspace's journal, or from an export on a machine that has nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from custody.audit.report.period import Asked
from custody.audit.report.prices import Prices
from custody.audit.report.report import RECENT_BLOCKS, JournalSource, Report, ReportTerms, build_report
from custody.audit.state import State
from custody.ports import Progress, no_progress
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault
from custody.workflow.audit_journal import Beside, audit_journal
from custody.workflow.decide import unapproved_outflows
from custody.workflow.key_standings import key_standings
from custody.workflow.office import open_office
from custody.workflow.open_export import open_export
from custody.workflow.recorded_rehearsals import rehearsal_findings, verified_signers
from custody.workflow.report_audit import alarms_of, audited_entries
from custody.workflow.verify_journal import verify_workspace_journal
from custody.workspace.layout import Workspace


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """What the reader asks for."""

    asked: Asked
    profiles: Mapping[str, DeviceProfile]
    prices: Prices | None = None
    recent_blocks: int = RECENT_BLOCKS


def report_of_workspace(workspace: Workspace, order: ReportOrder) -> Report:
    """Report from the workspace's journal, verified and audited whole first. Raises as `build_report`, and Altered."""
    check = verify_workspace_journal(workspace, expect_head=None)
    office = open_office(workspace)
    findings = alarms_of(audited_entries(office.entries, no_progress), check.findings)
    source = JournalSource("workspace", office.head.hash, len(office.entries), findings)
    return report_of_state(office.state, office.vault, source, order)


def report_of_export(
    path: Path, order: ReportOrder, *, expected: Vault | None, expect_head: str | None, progress: Progress
) -> Report:
    """Report from an export or a backup, audited whole first. Raises as `open_export` and `build_report`."""
    export = open_export(path, expected=expected, expect_head=expect_head, progress=progress)
    audit = audit_journal(path, Beside(expected, expect_head), progress=progress)
    source = JournalSource(path.name, export.head, export.count, alarms_of(audit.findings, export.findings))
    return report_of_state(export.state, export.vault, source, order)


def report_of_state(state: State, vault: Vault, source: JournalSource, order: ReportOrder) -> Report:
    """Report on a replayed journal; checks of devices count where a key signed for them. Raises as `build_report`."""
    signers = verified_signers(vault, state.signers)
    terms = ReportTerms(
        asked=order.asked,
        source=replace(source, findings=(*source.findings, *rehearsal_findings(vault, state.signers))),
        profiles=order.profiles,
        prices=order.prices,
        recent_blocks=order.recent_blocks,
        keys=key_standings(state, vault, signers),
        unapproved=frozenset(one.transaction.txid for one in unapproved_outflows(state, vault)),
    )
    return build_report(replace(state, signers=signers), vault, terms)
