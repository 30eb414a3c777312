"""From a wish to an unsigned transaction: select coins, lay out the outputs, say what comes back.

A draft is deterministic in its request and setting: the nonce is an argument, and the
order of the outputs follows from it, so that the place of the change tells nothing.
Version 2, every input signals replacement (BIP 125), the locktime is the tip's height
against fee sniping. Bitcoin Core's random step back in one of ten locktimes is left out:
nothing here is random. `psbt_builder.py` turns a draft into the PSBT that devices sign.
"""

from dataclasses import dataclass

from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats, format_btc, sats, sum_sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.hashing import sha256
from custody.bitcoin.script import dust_threshold
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.codes import Code
from custody.errors import Conflict, InvalidInput, UsageError
from custody.spend.coin_selection import (
    FeeTarget,
    Selection,
    SelectionRequest,
    SpendSize,
    select_coins,
    sweep_coins,
)
from custody.spend.proposal import ChangeOutput, Destination, Proposal, ProposalKind
from custody.spend.utxo import CONFIRMED_DEPTH, Coin, total
from custody.vault.vault import Vault

TX_VERSION = 2
RBF_SEQUENCE = 0xFFFFFFFD
"""Signals replacement (BIP 125), leaves the locktime in force, has no relative lock (BIP 68)."""


@dataclass(frozen=True, slots=True)
class Payee:
    """An output that is asked for."""

    address: str
    value: Sats | None
    """None is `all`: what coins, other payees and fee leave."""


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """What is to be drafted. Without payees everything goes to one output of our own change branch."""

    kind: ProposalKind
    payees: tuple[Payee, ...]
    fee: FeeTarget
    nonce: str
    """32 lower-case hex characters."""
    expires: str
    change_index: int
    depth: int = CONFIRMED_DEPTH
    named: tuple[OutPoint, ...] = ()
    """Exactly these coins."""
    required: tuple[OutPoint, ...] = ()
    """These in any case, further ones as needed."""
    replaced: frozenset[str] = frozenset()
    """Proposal ids and txids whose claim on coins is given up."""
    replaces: str | None = None
    replaces_txid: str | None = None
    reason: str | None = None
    drafter: str | None = None
    policy_digest: str | None = None
    """Digest of the policy in force, None where there is none."""
    policy_path: str | None = None
    """Name of the emergency path that it goes by."""


@dataclass(frozen=True, slots=True)
class DraftSetting:
    """What the draft is made from: the vault and its coins at one tip."""

    vault: Vault
    coins: tuple[Coin, ...]
    tip_height: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal with the coins it spends, in the order of its inputs."""

    proposal: Proposal
    coins: tuple[Coin, ...]
    selection: Selection


def draft(request: DraftRequest, setting: DraftSetting) -> Draft:
    """Select coins and build the proposal with its unsigned transaction.

    Raises:
        Conflict: INSUFFICIENT_FUNDS or a COIN_* code.
        InvalidInput: a payee's address or amount; RECEIVE_ONLY_VAULT.
    """
    vault = setting.vault
    _require_spendable_vault(vault)
    payees = tuple(_checked_payee(payee, vault) for payee in request.payees)
    change_script = vault.deriver.at(Branch.CHANGE, request.change_index).script_pubkey
    selection = _select(request, setting, payees, change_script)
    destinations, change_value = _values(request, selection)
    change = () if not change_value else (_change(vault, request.change_index, change_value),)
    outputs = [TxOutput(one.value, script_of(one.address, vault.network)) for one in (*destinations, *change)]
    transaction = Transaction(
        TX_VERSION,
        tuple(TxInput(coin.outpoint, sequence=RBF_SEQUENCE) for coin in selection.coins),
        tuple(sorted(outputs, key=lambda output: _output_order(request.nonce, output))),
        setting.tip_height,
    )
    proposal = Proposal(
        vault_id=vault.vault_id,
        network=vault.network,
        nonce=request.nonce,
        kind=request.kind,
        destinations=destinations,
        inputs=tuple(coin.outpoint for coin in selection.coins),
        fee=selection.fee,
        fee_rate=request.fee.rate,
        unsigned_transaction=transaction,
        change=change,
        reason=request.reason,
        expires=request.expires,
        policy_digest=request.policy_digest,
        policy_path=request.policy_path,
        drafter=request.drafter,
        replaces=request.replaces,
        replaces_txid=request.replaces_txid,
    )
    return Draft(proposal, selection.coins, selection)


def _select(
    request: DraftRequest, setting: DraftSetting, payees: tuple[TxOutput | bytes, ...], change_script: bytes
) -> Selection:
    descriptor = setting.vault.descriptor
    fixed = [payee for payee in payees if isinstance(payee, TxOutput)]
    rest = [payee for payee in payees if isinstance(payee, bytes)] if payees else [change_script]
    if len(rest) > 1:
        raise UsageError(Code.USAGE, "two payees are to get `all`", advice="Give `all` to one payee at most.")
    scripts = (*(output.script_pubkey for output in fixed), *rest)
    selection_request = SelectionRequest(
        payment=sum_sats(output.value for output in fixed),
        size=SpendSize(descriptor.threshold, len(descriptor.keys), descriptor.script_type, scripts, change_script),
        fee=request.fee,
        tip_height=setting.tip_height,
        depth=request.depth,
        named=request.named,
        required=request.required,
        replaced=request.replaced,
    )
    choose = sweep_coins if rest else select_coins
    return choose(setting.coins, selection_request)


def _values(request: DraftRequest, selection: Selection) -> tuple[tuple[Destination, ...], Sats]:
    """Return the destinations with every value known, and the value of the change."""
    fixed = sum_sats(payee.value for payee in request.payees if payee.value is not None)
    rest = sats(total(selection.coins) - fixed - selection.fee)
    if not request.payees:
        return (), rest
    destinations = tuple(
        Destination(payee.address, rest if payee.value is None else payee.value) for payee in request.payees
    )
    return destinations, selection.change


def _change(vault: Vault, index: int, value: Sats) -> ChangeOutput:
    return ChangeOutput(int(Branch.CHANGE), index, vault.address_at(Branch.CHANGE, index), value)


def _checked_payee(payee: Payee, vault: Vault) -> TxOutput | bytes:
    """Return the payee's output, or only its script where the value is still open."""
    script_pubkey = script_of(payee.address, vault.network)
    if payee.value is None:
        return script_pubkey
    if payee.value < dust_threshold(script_pubkey):
        raise InvalidInput(
            Code.DUST_OUTPUT,
            f"{payee.value} sat ({format_btc(payee.value)} BTC) to `{payee.address}` is dust, "
            f"expected at least {dust_threshold(script_pubkey)} sat",
            advice="Pay more: nodes relay no smaller output.",
        )
    return TxOutput(payee.value, script_pubkey)


def _output_order(nonce: str, output: TxOutput) -> bytes:
    return sha256(bytes.fromhex(nonce) + output.to_bytes())


def _require_spendable_vault(vault: Vault) -> None:
    if vault.receive_only:
        raise Conflict(
            Code.RECEIVE_ONLY_VAULT,
            f"vault `{vault.name}` is receive-only: it has no branch for change",
            advice="Import the descriptor with both branches to spend from it.",
        )
