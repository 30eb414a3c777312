"""A reserve with a year of history, for reports and pages: 3 of 5 keys, real signatures, everything that stands out.

Deterministic, and in memory: `DemoReserve().year()` takes some seconds. `report_of` and `page_of_demo` make the report
and its HTML page from it; browser tests open that page.
"""

from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from custody.audit.chain_view import known_outputs, owned_coins
from custody.audit.fold import fold, fold_more
from custody.audit.report.period import Asked, DaysAsked
from custody.audit.report.prices import Prices
from custody.audit.report.report import JournalSource, Report
from custody.audit.signing_start import spend_script_of
from custody.audit.state import State
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import SATS_PER_BTC, FeeRate, Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import extract, finalize
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.errors import JsonValue
from custody.people.allowlist import AllowEntry
from custody.people.change import ChangeKind, Payload
from custody.people.statement import StatementKind
from custody.ports import Registration
from custody.spend.coin_selection import FeeTarget
from custody.spend.rehearsal import Rehearsal
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.device_record import checked_events, registered_event
from custody.workflow.make_report import ReportOrder, report_of_state
from custody.workflow.proposal_access import collected_psbt
from custody.workflow.verify_rehearsal import rehearsal_scripts, signatures_of
from custody_cli.audit_report_page import report_page
from custody_hardware.device_profiles import load_profiles
from custody_hardware.simulator import SimulatedDevice, simulated_key
from support.governed import ROLES, GovernedLedger, policy_text
from support.ledger import OUTSIDE_SCRIPT, Ledger

START = 1_767_571_200
"""2026-01-05T00:00:00Z, at block 200."""
NEW_YEAR = 1_798_761_600
"""2027-01-01T00:00:00Z."""
BLOCKS_A_DAY = 144
BTC = SATS_PER_BTC

YEAR = DaysAsked("2026-01-01", "2026-12-31")
QUARTER = DaysAsked("2026-04-01", "2026-06-30")

KEYS = ("treasury", "ministry", "central-bank", "auditor-general", "escrow")
SIGNERS = (
    ("treasury", "coldcard-mk4", "5.6.1", "R. Alvarenga", "San Salvador, vault 1"),
    ("ministry", "ledger", "2.4.2", "M. Quintanilla", "San Salvador, vault 2"),
    ("central-bank", "bitbox02", "9.23.1", "J. Escobar", "Santa Ana"),
    ("auditor-general", "jade", "1.0.38", "L. Menjívar", "San Miguel"),
)
"""The fifth was never described."""
PAYEES = (("grid-operator", 1), ("hospital-fund", 2), ("school-meals", 3), ("exchange-desk", 4))
LABELS = ("donation, anonymous", "geothermal mining pool", "treasury purchase, desk 2", "citizens' bonds, tranche B")


DEMO_POLICY = policy_text().replace("address_cap: unlimited", "address_cap: 500btc") + "keys: {prove_every: 180d}\n"


def outside(number: int) -> str:
    """Return a payee's address."""
    address = address_of(_outside_script(number), Network.REGTEST)
    assert address is not None
    return address


def _outside_script(number: int) -> bytes:
    return b"\x00\x20" + sha256(f"payee {number}".encode())


@cache
def demo_vault() -> Vault:
    """Return the vault: 3 of 5 simulated keys with names of offices."""
    kind = ScriptType.WSH_SORTEDMULTI
    cosigners = tuple(Cosigner(name, simulated_key(one, Network.REGTEST, kind)) for one, name in enumerate(KEYS, 1))
    return Vault.from_cosigners(
        cosigners, name="national-reserve", network=Network.REGTEST, script_type=kind, threshold=3
    )


class DemoReserve(GovernedLedger):
    """The reserve's journal, with days instead of blocks."""

    searched = 80

    def __init__(self) -> None:
        self._folded: tuple[int, State] | None = None
        self._index = 0
        super().__init__(demo_vault())

    @property
    def state(self) -> State:
        """The fold, each entry folded once."""
        if self._folded is None:
            self._folded = (len(self.entries), fold(self.entries))
        count, state = self._folded
        if count < len(self.entries):
            state = fold_more(state, self.entries[count:])
            self._folded = (len(self.entries), state)
        return state

    def mtp(self) -> int:
        """Return the median time past of the tip: ten minutes a block from `START` on."""
        return START + (self.height - 200) * 600

    def day(self, days: int = 1, *transactions: Transaction) -> None:
        """Let days pass; the transactions stand in the first block."""
        self.mine(days * BLOCKS_A_DAY, *transactions)

    def take_in(self, label: str | None, *values: int, days: int = 1, index: int | None = None) -> None:
        """Hand out an address, or take an old one, and receive there."""
        if index is None:
            index = self._index
            self.issue(index, label)
            self._index += 1
        script = self.vault.deriver.at(0, index).script_pubkey
        self.day(days, *(self._stranger([TxOutput(Sats(value), script)]) for value in values))

    def _row(self, transaction: Transaction, height: int | None, *, coinbase: bool) -> JsonValue:
        """Tell the fee too, as a node does: every input of ours is known here."""
        row = super()._row(transaction, height, coinbase=coinbase)
        known = known_outputs(self.state)
        ours = [known[one.outpoint].value for one in transaction.inputs if one.outpoint in known]
        if isinstance(row, dict) and len(ours) == len(transaction.inputs):
            row["fee_sats"] = sum(ours) - sum(one.value for one in transaction.outputs)
        return row

    def mine_one(self, index: int) -> None:
        """Find a block whose reward belongs to an address."""
        script = self.vault.deriver.at(0, index).script_pubkey
        reward = self._stranger([TxOutput(Sats(312_500_000 + 4_218), script)])
        self.height += 1
        self.observe((reward, self.height), coinbase=True)

    def pay(
        self,
        *payees: tuple[str, int],
        reason: str,
        approvers: tuple[str, ...],
        signers: tuple[int, ...],
        **more: object,
    ) -> None:
        """Draft, approve, really sign and mine a payment."""
        policy = self.gov.policy
        assert policy is not None
        fields = {"reason": reason, "drafter": "dora", "policy_digest": policy.digest, "fee": FeeTarget(FeeRate(9_000))}
        drafted = self.draft(*payees, **{**fields, **more})
        proposal_id = self.propose(drafted)
        self.sign_proposal(proposal_id, StatementKind.PROPOSE, "dora")
        self.sign_proposal(proposal_id, StatementKind.APPROVE, *approvers)
        for device in signers:
            self.sign_really(proposal_id, device)
        final = self.finalize(proposal_id)
        self.broadcast(proposal_id, final)
        self.day(2, final)

    def describe(self) -> None:
        """Say which devices hold the keys; three of them were checked."""
        for name, device, firmware, custodian, place in SIGNERS:
            self.add(
                "cosigner_described",
                {
                    "cosigner": name,
                    "device": device,
                    "firmware": firmware,
                    "seed_firmware": firmware,
                    "custodian": custodian,
                    "place": place,
                    "qr_dialect": None,
                },
            )
        rehearsal = Rehearsal.of(self.vault, 1)
        scripts = rehearsal_scripts(self.vault, rehearsal)
        for number, (name, device, firmware, _custodian, _place) in enumerate(SIGNERS[:3], start=1):
            registration = Registration("record", self.vault.name, None, None)
            self.add(*registered_event(name, device, firmware, registration))
            signed = Psbt.parse(SimulatedDevice(number, self.vault).sign(rehearsal.psbt.serialize()))
            signatures = signatures_of(self.vault, rehearsal, signed, cosigner=name, scripts=scripts)
            for event in checked_events(
                name, device, firmware, route="usb", rehearsal=rehearsal, signatures=signatures
            ):
                self.add(*event)

    def finalize(self, proposal_id: str) -> Transaction:
        """Record the final transaction, its witnesses made of the recorded signatures."""
        record = self.state.proposals[proposal_id]
        scripts = [spend_script_of(self.vault, record, number) for number in range(len(record.psbt.inputs))]
        final = extract(finalize(collected_psbt(record), scripts))
        body: dict[str, JsonValue] = {
            "proposal_id": proposal_id,
            "txid": final.txid,
            "transaction": final.serialize().hex(),
        }
        self.add("proposal_finalized", body)
        return final

    def allow(self) -> None:
        """Put the payees on the allowlist."""
        for name, number in PAYEES:
            self.carry(ChangeKind.ALLOW, Payload(entry=AllowEntry(name, outside(number), None, None)), "ann", "bo")


def demo_reserve(*, labels: tuple[str, ...] = LABELS, reason: str = "meals, second term") -> DemoReserve:
    """Return the reserve after its year: 43 transactions."""
    reserve = DemoReserve()
    donation, pool, purchase, bonds = labels
    reserve.mine(1)
    reserve.found(DEMO_POLICY, *ROLES)
    reserve.describe()
    reserve.allow()
    for value in (48_750_000_000, 50_000_000_000, 31_200_000_000, 47_812_345_678):
        reserve.take_in(purchase, value, days=3)
    reserve.take_in(bonds, 61_925_000_000, days=5)  # above the cap
    for month in range(1, 12):
        reserve.take_in(pool, 1_874_218_905 + month * 3_211_117, days=11)
        reserve.take_in(donation if month % 3 else None, 1_250_000 * month, 52_000 + month, days=6)
        reserve.pay(
            (outside(1 + month % 3), (2 + month) * BTC // 4),
            *([(outside(4), 45 * BTC)] if month == 6 else []),
            reason=(f"energy invoice 2026-{month:02d}", reason)[month % 2],
            approvers=("ann", "bo", "cy") if month == 6 else ("ann", "bo"),
            signers=((1, 2, 3), (1, 3, 5), (2, 3, 4))[month % 3],
        )
        if month in (4, 8):
            reserve.mine_one(5)
        reserve.day(9)
    _what_stands_out(reserve)
    reserve.height = 200 + (NEW_YEAR - START) // 600 - BLOCKS_A_DAY - 1
    reserve.take_in(purchase, 25_000_000_000, days=1)  # shortly before the closing block, the last of the year
    reserve.day(12)
    return reserve


def _what_stands_out(reserve: DemoReserve) -> None:
    """Pay to an address that was spent from, and lose a coin to nobody knows whom."""
    spent = sorted(
        (one.index, one.outpoint.txid)
        for seen in reserve.state.transactions.values()
        for one in seen.inputs
        if one.branch == 0
    )
    reserve.take_in(None, 340_000_000, index=spent[0][0], days=2)
    small = min(reserve_coins(reserve), key=lambda one: one[1])[0]
    reserve.day(1, reserve.spend_elsewhere(small, to=OUTSIDE_SCRIPT))


def reserve_coins(reserve: DemoReserve) -> list[tuple[OutPoint, int]]:
    """Return the coins that a payment could use now."""
    coins = owned_coins(reserve.state)
    return [(one.outpoint, one.value) for one in coins if not one.hold_reasons(reserve.height) and one.value > 2_000]


@cache
def the_demo() -> DemoReserve:
    """Return one demo for all tests of a process: don't append to it."""
    return demo_reserve()


def daily_prices(first: str = "2025-12-31", days: int = 366, currency: str = "EUR") -> bytes:
    """Return a price file with made-up prices: they rise and fall by a rule."""
    start = date.fromisoformat(first)
    lines = ["date,currency,price"]
    for number in range(days):
        cents = 8_214_050 + (number * 7_919) % 1_400_000 + number * 1_150
        lines.append(f"{(start + timedelta(days=number)).isoformat()},{currency},{Decimal(cents) / 100}")
    return ("\n".join(lines) + "\n").encode()


def report_of(reserve: Ledger, asked: Asked = YEAR, prices: Prices | None = None) -> Report:
    """Return the report of a journal in memory."""
    source = JournalSource("export.jsonl", reserve.entries[-1].hash, len(reserve.entries))
    return report_of_state(reserve.state, reserve.vault, source, ReportOrder(asked, load_profiles(), prices))


def page_of_demo(asked: Asked = YEAR, *, with_prices: bool = False) -> bytes:
    """Return the demo's page in HTML: the hook for tests in a browser."""
    prices = Prices.from_csv(daily_prices()) if with_prices else None
    return report_page(report_of(the_demo(), asked, prices))
