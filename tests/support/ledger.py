"""A journal in memory for tests: append bodies, observe a chain that exists only here, fold."""

import base64

from custody.audit.chain_view import known_outputs, next_index, owned_coins
from custody.audit.fold import fold
from custody.audit.journal import GENESIS_PREV, Entry
from custody.audit.state import State
from custody.bitcoin.amount import FeeRate, Sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.errors import JsonValue
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import Draft, DraftRequest, DraftSetting, Payee, draft
from custody.spend.expiry import expiry_after
from custody.spend.proposal import ProposalKind
from custody.spend.psbt_builder import build_psbt
from custody.vault.vault import Vault

START_MTP = 1_800_000_000
BLOCK_S = 600
OUTSIDE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
"""BIP 173's example program, on regtest."""
OUTSIDE_SCRIPT = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")
RATE = FeeRate(5_000)


def block_hash(height: int, fork: int = 0) -> str:
    """Return the made-up hash of a block."""
    return sha256(f"{fork}/{height}".encode()).hex()


def nonce(number: int) -> str:
    """Return a nonce by number."""
    return f"{number:032x}"


def payment_from(number: int, outputs: list[TxOutput]) -> Transaction:
    """Return a stranger's transaction with these outputs."""
    source = OutPoint(sha256(f"stranger {number}".encode()).hex(), 0)
    return Transaction(2, (TxInput(source),), tuple(outputs), 0)


class Ledger:
    """A vault's journal and a chain that grows on demand."""

    searched = 6
    """Indexes of each branch at which an observation looks for our scripts."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.entries: list[Entry] = []
        self.height = 200
        self.fork = 0
        self.transactions: dict[str, Transaction] = {}
        self._strangers = 0
        self._nonces = 0
        self.add("vault_adopted", {"document": vault.to_document(), "vault_id": vault.vault_id, "ungoverned": False})

    @property
    def state(self) -> State:
        """The fold of everything so far."""
        return fold(self.entries)

    def add(self, kind: str, body: dict[str, JsonValue]) -> None:
        """Append one entry."""
        last = self.entries[-1] if self.entries else None
        self.entries.append(
            Entry.make(
                journal_id="test",
                seq=len(self.entries),
                time="2030-01-01T00:00:00Z",
                tip=None,
                actor=None,
                kind=kind,
                body=body,
                request_id=f"r{len(self.entries)}",
                prev=GENESIS_PREV if last is None else last.hash,
            )
        )

    def issue(self, index: int, label: str | None = None) -> None:
        """Hand out a receive address."""
        address = self.vault.address_at(Branch.RECEIVE, index)
        self.add("address_issued", {"branch": "receive", "index": index, "address": address, "label": label})

    def mtp(self) -> int:
        """Return the median time past of the tip."""
        return START_MTP + self.height * BLOCK_S

    def observe(
        self,
        *seen: tuple[Transaction, int | None],
        vanished: tuple[str, ...] = (),
        gone: tuple[str, ...] = (),
        incomplete: tuple[str, ...] = (),
        coinbase: bool = False,
    ) -> None:
        """Journal an observation of these transactions, each with its height or None."""
        rows: list[JsonValue] = []
        for transaction, height in seen:
            self.transactions[transaction.txid] = transaction
            rows.append(self._row(transaction, height, coinbase=coinbase))
        tip: dict[str, JsonValue] = {
            "height": self.height,
            "hash": block_hash(self.height, self.fork),
            "median_time_past": self.mtp(),
        }
        self.add(
            "chain_observed",
            {
                "tip": tip,
                "complete": not incomplete,
                "compared_with_utxo_set": not incomplete,
                "incomplete": list(incomplete),
                "scanned": {"receive": 1000, "change": 1000},
                "transactions": rows,
                "vanished_blocks": list(vanished),
                "gone": list(gone),
            },
        )

    def mine(self, blocks: int, *transactions: Transaction) -> None:
        """Grow the chain; the transactions stand in the first new block."""
        first = self.height + 1
        self.height += blocks
        self.observe(*((one, first) for one in transactions))

    def receive(self, *values: int, index: int = 0, branch: int = 0, deep: int = 6) -> tuple[OutPoint, ...]:
        """Receive coins at one address, one transaction each, and bury them."""
        script = self.vault.deriver.at(branch, index).script_pubkey
        paid = [self._stranger([TxOutput(Sats(value), script)]) for value in values]
        self.mine(deep, *paid)
        return tuple(OutPoint(one.txid, 0) for one in paid)

    def draft(self, *payees: tuple[str, int | None], **changes: object) -> Draft:
        """Draft a payment; nothing is journalled."""
        self._nonces += 1
        state = self.state
        fields: dict[str, object] = {
            "kind": ProposalKind.PAYMENT,
            "payees": tuple(Payee(address, None if value is None else Sats(value)) for address, value in payees),
            "fee": FeeTarget(RATE),
            "nonce": nonce(self._nonces),
            "expires": expiry_after(self.mtp()),
            "change_index": next_index(state, Branch.CHANGE),
            **changes,
        }
        return self.draft_from(DraftRequest(**fields))  # type: ignore[arg-type]

    def draft_from(self, request: DraftRequest) -> Draft:
        """Draft a prepared request at the journal's coins."""
        return draft(request, DraftSetting(self.vault, owned_coins(self.state), self.height))

    def psbt_of(self, drafted: Draft) -> Psbt:
        """Build the draft's PSBT."""
        coins = {str(coin.outpoint): coin for coin in drafted.coins}
        return build_psbt(drafted.proposal, self.vault, coins, self.transactions)

    def propose(self, drafted: Draft, *, left: bool = True) -> str:
        """Journal a draft, and that it left."""
        proposal, psbt = drafted.proposal, self.psbt_of(drafted)
        body: dict[str, JsonValue] = {
            "proposal_id": proposal.proposal_id,
            "proposal": proposal.to_document(),
            "psbt": base64.b64encode(psbt.serialize()).decode(),
            "acknowledged": [],
            "second_payment": False,
        }
        self.add("proposal_drafted", body)
        if left:
            self.add("proposal_left", {"proposal_id": proposal.proposal_id, "how": "draft"})
        return proposal.proposal_id

    def sign(self, proposal_id: str, *cosigners: int) -> None:
        """Record signatures of these cosigners on every input; the fold does not verify them."""
        record = self.state.proposals[proposal_id]
        signatures: list[JsonValue] = []
        for number, psbt_input in enumerate(record.psbt.inputs):
            branch, index = psbt_input.derivations[0].origin.path[-2:]
            keys = self.vault.deriver.at(branch, index).key_by_cosigner
            signatures += [
                {"input": number, "public_key": keys[cosigner].hex(), "signature": "30" * 70 + "01"}
                for cosigner in cosigners
            ]
        self.add("signatures_added", {"proposal_id": proposal_id, "source": "test", "signatures": signatures})

    def finalize(self, proposal_id: str) -> Transaction:
        """Record a final transaction with made-up witnesses."""
        record = self.state.proposals[proposal_id]
        unsigned = record.proposal.unsigned_transaction
        inputs = tuple(
            TxInput(
                one.outpoint,
                b"" if meta.redeem_script is None else bytes([len(meta.redeem_script)]) + meta.redeem_script,
                one.sequence,
                (b"", b"\x01"),
            )
            for one, meta in zip(unsigned.inputs, record.psbt.inputs, strict=True)
        )
        final = Transaction(unsigned.version, inputs, unsigned.outputs, unsigned.locktime)
        body: dict[str, JsonValue] = {
            "proposal_id": proposal_id,
            "txid": final.txid,
            "transaction": final.serialize().hex(),
        }
        self.add("proposal_finalized", body)
        return final

    def broadcast(self, proposal_id: str, final: Transaction) -> None:
        """Record that it was sent."""
        self.add("proposal_broadcast", {"proposal_id": proposal_id, "txid": final.txid})

    def end(self, proposal_id: str, how: str = "withdrawn") -> None:
        """Withdraw or reject."""
        self.add(f"proposal_{how}", {"proposal_id": proposal_id, "reason": None})

    def spend_elsewhere(self, *outpoints: OutPoint, to: bytes = OUTSIDE_SCRIPT) -> Transaction:
        """Return a transaction outside of any proposal that spends our coins."""
        known = known_outputs(self.state)
        value = sum(known[outpoint].value for outpoint in outpoints) - 1_000
        inputs = tuple(TxInput(outpoint) for outpoint in outpoints)
        return Transaction(2, inputs, (TxOutput(Sats(value), to),), 0)

    def _stranger(self, outputs: list[TxOutput]) -> Transaction:
        self._strangers += 1
        return payment_from(self._strangers, outputs)

    def _row(self, transaction: Transaction, height: int | None, *, coinbase: bool) -> JsonValue:
        known = known_outputs(self.state) if len(self.entries) else {}
        places = {
            self.vault.deriver.at(branch, index).script_pubkey: (branch, index)
            for branch in (0, 1)
            for index in range(self.searched)
        }
        inputs: list[JsonValue] = [
            {
                "outpoint": str(one.outpoint),
                "value_sats": known[one.outpoint].value,
                "branch": known[one.outpoint].branch,
                "index": known[one.outpoint].index,
            }
            for one in transaction.inputs
            if one.outpoint in known
        ]
        outputs: list[JsonValue] = []
        for vout, output in enumerate(transaction.outputs):
            branch, index = places.get(output.script_pubkey, (None, None))
            outputs.append(
                {
                    "vout": vout,
                    "value_sats": output.value,
                    "script_pubkey": output.script_pubkey.hex(),
                    "branch": branch,
                    "index": index,
                }
            )
        return {
            "txid": transaction.txid,
            "block_hash": None if height is None else block_hash(height, self.fork),
            "height": height,
            "fee_sats": None,
            "coinbase": coinbase,
            "inputs": inputs,
            "outputs": outputs,
        }
