"""A governed vault in memory: officers with soft keys, a policy, and the entries that they sign."""

from custody.audit.fold_governance import VaultFacts
from custody.audit.governance import ChangeRecord, GovernanceState
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.documents.sshsig_keys import SshKeyType
from custody.errors import JsonValue
from custody.people.change import Change, ChangeKind, Payload
from custody.people.officer import Officer
from custody.people.statement import StatementKind, proposal_statement
from custody.policy.load import load_policy
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody_hardware.simulator import SimulatedDevice, simulated_key
from support.ledger import Ledger, nonce
from support.ssh import SoftSigner

ROLES = {
    "dora": ("drafter",),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor", "signer"),
}
"""Five officers: enough for every quorum of `policy_text()`."""


def signer_of(name: str) -> SoftSigner:
    """Return an officer's key: ed25519, made from the name."""
    return SoftSigner(SshKeyType.ED25519, seed=f"officer {name}")


def officer(name: str, *roles: str) -> Officer:
    """Return an officer with the roles of `ROLES` or others."""
    return Officer(name, frozenset(roles or ROLES[name]), signer_of(name).public)


def policy_text(
    version: int = 1,
    *,
    day: str = "1000btc",
    unlisted: str = "large",
    waiting: str = "0h",
    governance_waiting: str = "48h",
    allowlist_waiting: str = "24h",
    attest: str = "false",
    routine: str = "10btc",
    board: int = 1,
    approvals: str = "{administrator: 2}",
) -> str:
    """Return a policy: small payments by two approvers, large ones with the board, an emergency sweep."""
    rules = """
      fee: {max: 10000000sat, max_rate: 500sat/vb, max_percent: 5%}
      confirmations: 1
      inputs: {min: 1, max: 100}
      locktime: tip
      replaceable: required
      expiry: 14d"""
    flat = rules.replace("\n      ", "\n  ")
    return f"""format: custody-policy/1
name: test-reserve
version: {version}
time_zone: Asia/Karachi
governance: {{approvals: {approvals}, waiting: {governance_waiting}, custodians_attest: {attest}}}
allowlist: {{waiting: {allowlist_waiting}}}
coins: {{address_cap: unlimited, address_reuse: forbidden, keep_apart: []}}
payment:
  tiers:
    - {{name: routine, up_to: {routine}, approvals: {{approver: 2}}, waiting: {waiting}, hours: any}}
    - {{name: large, up_to: 1000btc, approvals: {{approver: 2, board: {board}}}, waiting: {waiting}, hours: any}}
  drafter_approves: false
  unlisted: {unlisted}
  limits: {{payment: 1000btc, day: {day}, week: unlimited, month: unlimited}}{flat}
internal:
  approvals: {{approver: 1}}
  waiting: 0h
  hours: any
  drafter_approves: false{flat}
bump:
  approvals: {{approver: 1}}
  waiting: 0h
  hours: any
  drafter_approves: false{flat}
cancel:
  approvals: {{approver: 1}}
  waiting: 0h
  hours: any
  drafter_approves: true{flat}
emergency:
  - name: sweep
    destinations: [recovery]
    approvals: {{approver: 1, board: 1}}
    waiting: 0h
    hours: any
    drafter_approves: false
    limits: {{payment: unlimited, day: unlimited, week: unlimited, month: unlimited}}
    while_suspended: true{rules.replace(chr(10) + "      ", chr(10) + "    ")}
"""


def simulated_vault() -> Vault:
    """Return a 2-of-3 vault whose keys the simulated devices 1 to 3 hold."""
    kind = ScriptType.WSH_SORTEDMULTI
    cosigners = tuple(Cosigner(f"c{one}", simulated_key(one, Network.REGTEST, kind)) for one in (1, 2, 3))
    return Vault.from_cosigners(cosigners, name="reserve", network=Network.REGTEST, script_type=kind, threshold=2)


class GovernedLedger(Ledger):
    """A ledger whose entries of governance are signed by the officers' own keys."""

    @property
    def gov(self) -> GovernanceState:
        """The governance after everything so far."""
        return self.state.governance

    def change(self, kind: ChangeKind, payload: Payload, **changes: object) -> Change:
        """Return a change on the newest statement; nothing is journalled."""
        gov = self.gov
        fields: dict[str, object] = {
            "vault_id": self.vault.vault_id,
            "network": self.vault.network,
            "kind": kind,
            "number": gov.next_number,
            "predecessor": None if gov.head is None else gov.head.digest,
            "payload": payload,
            "reason": None,
            "proposed_by": None,
            "nonce": nonce(len(self.entries)),
            **changes,
        }
        return Change(**fields)  # type: ignore[arg-type]

    def propose_change(self, change: Change) -> None:
        """Journal a change."""
        self.add("change_proposed", {"change": change.to_document()})

    def sign_change(self, change: Change, *names: str, approves: bool = True) -> None:
        """Journal officers' signatures for or against a change."""
        statement = change.statement(self.vault.name) if approves else change.rejection(self.vault.name)
        for name in names:
            self.add(
                "change_signed",
                {
                    "change_id": change.change_id,
                    "officer": name,
                    "approves": approves,
                    "signature": signer_of(name).sign(statement.signed_bytes, namespace=statement.kind.namespace),
                },
            )

    def carry(self, kind: ChangeKind, payload: Payload, *names: str) -> ChangeRecord:
        """Propose a change and let officers sign it; return where it stands."""
        change = self.change(kind, payload)
        self.propose_change(change)
        self.sign_change(change, *names)
        return self.gov.changes[change.change_id]

    def found(self, policy: str | None = None, *names: str) -> ChangeRecord:
        """Found the vault with these officers, all of `ROLES` by default."""
        officers = tuple(officer(name) for name in names or ROLES)
        document = load_policy(policy or policy_text()).to_document()
        return self.carry(
            ChangeKind.FOUND, Payload(officers=officers, policy=document), *[one.name for one in officers]
        )

    def state_of_change(self, change: Change) -> ChangeRecord:
        """Return where a change stands."""
        return self.gov.changes[change.change_id]

    def sign_proposal(self, proposal_id: str, kind: StatementKind, *names: str) -> None:
        """Journal officers' statements about a proposal, naming the newest governance statement."""
        gov = self.gov
        ref = gov.statements[-1]
        proposal = self.state.proposals[proposal_id].proposal
        statement = proposal_statement(kind, proposal, vault_name=self.vault.name, governance=ref)
        for name in names:
            self.add(
                "proposal_statement",
                {
                    "proposal_id": proposal_id,
                    "statement": str(kind),
                    "officer": name,
                    "governance": {"number": ref.number, "digest": ref.digest},
                    "signature": signer_of(name).sign(statement.signed_bytes, namespace=kind.namespace),
                },
            )

    def sign_really(self, proposal_id: str, device: int) -> None:
        """Record the signatures that a simulated device makes; the vault is a `simulated_vault`."""
        record = self.state.proposals[proposal_id]
        returned = Psbt.parse(SimulatedDevice(device, self.vault).sign(record.psbt.serialize()))
        signatures: list[JsonValue] = [
            {"input": number, "public_key": one.public_key.hex(), "signature": one.signature.hex()}
            for number, psbt_input in enumerate(returned.inputs)
            for one in psbt_input.partial_signatures
        ]
        self.add("signatures_added", {"proposal_id": proposal_id, "source": "test", "signatures": signatures})

    @property
    def vault_facts(self) -> VaultFacts:
        """What statements say of the vault."""
        return VaultFacts.of(self.vault)
