"""A reserve of test keys with everything that proves it: coins, a challenge, signed messages, a statement, a view.

Nothing of our own proof building is used: signatures are embit's, transactions are put together here.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace

from custody.audit.reserves.challenge import Challenge, SeenBlock
from custody.audit.reserves.payment import PaymentClaim, payment_amount
from custody.audit.reserves.statement import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement
from custody.audit.reserves.view import ReserveView, SeenCoin, SeenPayment
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip127 import commitment_outpoint
from custody.bitcoin.bip322 import to_spend
from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, serialize_witness
from custody.ports import ChainCoin
from custody.vault.vault_id import vault_id
from support.signing_vault import SigningVault

HEIGHT = 120
BLOCK_HASH = "ab" * 32
TIP = 130
CHALLENGE = Challenge(Network.REGTEST, "Ruritania", "Audit 2026", "5f" * 32, HEIGHT, BLOCK_HASH, HEIGHT + 144)
PLACES = ((0, 0), (1, 3), (0, 7))
FRESH = (0, 9)


class Reserve:
    """Coins of a vault: one at the first two places, two at the third."""

    def __init__(self, *, first_seed: int = 1, script_type: ScriptType = ScriptType.WSH_SORTEDMULTI) -> None:
        self.vault = SigningVault(first_seed=first_seed, script_type=script_type)
        self.descriptor = self.vault.descriptor.to_text(Network.REGTEST)
        self.vault_id = vault_id(Network.REGTEST, self.vault.descriptor)
        spots = (*PLACES, PLACES[-1])
        self.coins = tuple(
            SeenCoin(
                OutPoint(sha256(f"coin {first_seed} {number}".encode()).hex(), number),
                Sats(1_000_000 * (number + 1)),
                self.vault.script(*place),
                HEIGHT - 20 * number,
                False,
            )
            for number, place in enumerate(spots)
        )

    @property
    def total(self) -> Sats:
        """The sum of the coins."""
        return Sats(sum(coin.value for coin in self.coins))

    def address(self, place: tuple[int, int]) -> str:
        """Return the address at a place."""
        return self.vault.address(*place)

    def message_proof(self, challenge: Challenge, place: tuple[int, int]) -> Proof:
        """Return a BIP 322 proof for one address, in the simple form, or the full one where that has none."""
        signed = self._spent([_first_coin(challenge, self.vault.script(*place))], version=0, outputs=[(0, b"\x6a")])
        if self.vault.descriptor.script_type is ScriptType.WSH_SORTEDMULTI:
            text = "smp" + base64.b64encode(serialize_witness(signed.inputs[0].witness)).decode()
        else:
            text = "ful" + base64.b64encode(signed.serialize()).decode()
        return Proof(ProofKind.BIP322, (self.address(place),), text)

    def bip127_proof(self, challenge: Challenge, *, last_sequence: int = 0xFFFFFFFD) -> Proof:
        """Return one BIP 127 proof over every coin; `last_sequence` is of the last one's input."""
        signed = self._spent(self.chain_coins(), version=2, outputs=[(self.total, b"\x51")])
        commitment = TxInput(commitment_outpoint(challenge.message), b"", 0xFFFFFFFD)
        last = replace(signed.inputs[-1], sequence=last_sequence)
        bare = replace(signed, inputs=(commitment, *signed.inputs[:-1], last))
        again = self.vault.sign_inputs(bare, dict(enumerate(self.chain_coins(), start=1)))
        return Proof(ProofKind.BIP127, tuple(map(self.address, PLACES)), again.serialize().hex())

    def payment(self, challenge: Challenge, *, spent: int = 1, amount: int | None = None) -> Transaction:
        """Return a payment to the fresh address that spends the first `spent` coins, change to another address."""
        coins = self.chain_coins()[:spent]
        paid = payment_amount(challenge) if amount is None else amount
        change = sum(coin.value for coin in coins) - paid - 1_000
        outputs = [(paid, self.vault.script(*FRESH)), (change, self.vault.script(1, 4))]
        return self._spent(coins, version=2, outputs=outputs)

    def payment_proof(self, payment: Transaction, *, spent: int = 1) -> Proof:
        """Return the proof that names a payment mined at block 125."""
        claim = PaymentClaim(payment.txid, 125, "cd" * 32, self.address(FRESH))
        spots = (*PLACES, PLACES[-1])
        addresses = tuple(dict.fromkeys(self.address(place) for place in spots[:spent]))
        return Proof(ProofKind.PAYMENT, addresses, claim.to_text())

    def statement(
        self, challenge: Challenge = CHALLENGE, *, disclose: bool = True, proofs: Sequence[Proof] = ()
    ) -> Statement:
        """Return the statement; without `proofs` a signed message for each address."""
        made = tuple(proofs) or tuple(self.message_proof(challenge, place) for place in PLACES)
        return Statement(
            challenge=challenge,
            vault_id=self.vault_id,
            descriptor=self.descriptor if disclose else None,
            addresses=tuple(self._claim(place, disclose=disclose) for place in PLACES),
            coins=tuple(ClaimedCoin(one.outpoint, one.value, self._address_of(one)) for one in self.coins),
            total=self.total,
            proofs=made,
        )

    def view(self, *payments: Transaction, coins: Sequence[SeenCoin] | None = None) -> ReserveView:
        """Return what an honest node says."""
        held = self.coins if coins is None else tuple(coins)
        return ReserveView(
            SeenBlock(TIP, BLOCK_HASH),
            held,
            frozenset(coin.outpoint for coin in held),
            {one.txid: SeenPayment(one, 125, "cd" * 32, is_active=True) for one in payments},
        )

    def _claim(self, place: tuple[int, int], *, disclose: bool) -> ClaimedAddress:
        branch, index = place
        if not disclose:
            return ClaimedAddress(self.address(place), None, None)
        return ClaimedAddress(self.address(place), Branch(branch).label, index)

    def _address_of(self, coin: SeenCoin) -> str:
        return next(self.address(place) for place in PLACES if self.vault.script(*place) == coin.script_pubkey)

    def chain_coins(self) -> list[ChainCoin]:
        """Return the coins as a chain's answer holds them."""
        return [
            ChainCoin(one.outpoint, one.value, one.script_pubkey, one.height, one.is_coinbase) for one in self.coins
        ]

    def _spent(self, coins: Sequence[ChainCoin], *, version: int, outputs: Sequence[tuple[int, bytes]]) -> Transaction:
        sequence = 0 if version == 0 else 0xFFFFFFFD
        bare = Transaction(
            version,
            tuple(TxInput(one.outpoint, b"", sequence) for one in coins),
            tuple(TxOutput(Sats(value), script) for value, script in outputs),
            0,
        )
        return self.vault.sign_inputs(bare, dict(enumerate(coins)))


def _first_coin(challenge: Challenge, script_pubkey: bytes) -> ChainCoin:
    spent = to_spend(challenge.message, script_pubkey)
    return ChainCoin(OutPoint(spent.txid, 0), Sats(0), script_pubkey, None, False)
