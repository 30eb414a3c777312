"""Check a vault again from nothing but its file: keys, two engines, and the journal's adoption.

Every check runs and reports; none stops the others. What can't be checked from here is whether
each cosigner still holds the key under their name: only their device shows that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from custody.audit.nonces import nonce_findings
from custody.audit.signer_findings import signer_findings
from custody.audit.state import State
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.second_opinion import SecondOpinion
from custody.codes import Code
from custody.errors import Altered, CustodyError, Finding, Severity
from custody.vault.checks import inspect_vault
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault
from custody.workflow.office import open_office
from custody.workflow.open_vault import open_vault
from custody.workflow.recorded_rehearsals import rehearsal_findings, verified_signers
from custody.workspace.layout import Workspace

COMPARED_INDEXES = 20
"""Both engines derive indexes 0 to 19 of every branch."""


@dataclass(frozen=True, slots=True)
class VaultCheck:
    """One thing that was looked at, by a name that scripts can rely on."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def is_passed(self) -> bool:
        """Nothing in it refuses."""
        return all(finding.severity is not Severity.REFUSE for finding in self.findings)


def verify_vault(
    vault: Vault, workspace: Workspace | None, profiles: Mapping[str, DeviceProfile]
) -> tuple[VaultCheck, ...]:
    """Return every check with its findings; without a workspace there is no adoption to compare with.

    The check `devices` is there where the journal says something of a device, or a signature gives a key away.
    """
    checks = [VaultCheck("keys", inspect_vault(vault)), VaultCheck("engines", tuple(_compare_engines(vault)))]
    if workspace is not None:
        adopted = _compare_adopted(workspace)
        checks.append(VaultCheck("adopted", adopted))
        if not adopted:
            checks += _device_checks(vault, open_office(workspace).state, profiles)
    return tuple(checks)


def _device_checks(vault: Vault, state: State, profiles: Mapping[str, DeviceProfile]) -> Iterator[VaultCheck]:
    findings = (
        *signer_findings(vault, verified_signers(vault, state.signers), profiles),
        *rehearsal_findings(vault, state.signers),
        *nonce_findings(state, vault),
    )
    if state.signers.records or findings:
        yield VaultCheck("devices", findings)


def _compare_engines(vault: Vault) -> Iterator[Finding]:
    """Derive the same scripts with both engines; each difference is a finding."""
    deriver = vault.deriver
    second = SecondOpinion(vault.descriptor_text, vault.network)
    for position, branch in enumerate(vault.descriptor.branches):
        for index in range(COMPARED_INDEXES):
            ours = deriver.at(branch, index)
            other = second.script_pubkey_at(position, index)
            address = second.address_at(position, index)
            if ours.script_pubkey != other or address != deriver.address_at(branch, index, vault.network):
                yield Finding(
                    Code.ENGINES_DISAGREE,
                    Severity.REFUSE,
                    f"{Branch(branch).label}:{index}",
                    f"the two engines derive different scripts at {Branch(branch).label} index {index}",
                    "Use no address of this vault and report this.",
                )


def _compare_adopted(workspace: Workspace) -> tuple[Finding, ...]:
    try:
        open_vault(workspace)
    except Altered as error:
        return (_as_finding(error),)
    return ()


def _as_finding(error: CustodyError) -> Finding:
    return Finding(error.code, Severity.REFUSE, "vault", error.message, error.advice)
