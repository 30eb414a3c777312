"""Which inputs and outputs are ours, decided once for the whole review.

Claimed places are tried first; everything that stays unknown, and has the form of the
vault's scripts, goes into one search pass (attack A23).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.script import parse_multisig
from custody.bitcoin.transaction import TxOutput
from custody.spend.review_model import Place, ReviewContext
from custody.spend.review_places import Found, VaultScripts, Wanted


@dataclass(frozen=True, slots=True)
class Ownership:
    """The places of all scripts of ours in a PSBT and in the earlier ones."""

    inputs: tuple[Place | None, ...]
    outputs: tuple[Place | None, ...]
    earlier_scripts: frozenset[bytes]
    """Output scripts of earlier PSBTs that are ours."""
    found_keys: dict[bytes, Place]
    """Keys of ours that stand in the witness scripts of outputs that are not ours."""
    last_used: int
    """The larger of the option and the inputs' own indexes."""


def find_ownership(
    psbt: Psbt, spent: Sequence[TxOutput | None], scripts: VaultScripts, context: ReviewContext
) -> Ownership:
    """Find the place of every proven input, of every output, and of the earlier PSBTs' outputs."""
    claimed_inputs = [
        None if coin is None else scripts.claimed_place(coin.script_pubkey, psbt_input.derivations)
        for psbt_input, coin in zip(psbt.inputs, spent, strict=True)
    ]
    claimed_outputs = [scripts.claimed_place(output.script_pubkey, output.derivations) for output in psbt.outputs]
    earlier_outputs = [output for earlier in context.earlier for output in earlier.outputs]
    claimed_earlier = [scripts.claimed_place(output.script_pubkey, output.derivations) for output in earlier_outputs]

    coins = [coin.script_pubkey if coin is not None else b"" for coin in spent]
    outputs = [output.script_pubkey for output in psbt.outputs]
    earlier = [output.script_pubkey for output in earlier_outputs]
    pairs = [
        *zip(coins, claimed_inputs, strict=True),
        *zip(outputs, claimed_outputs, strict=True),
        *zip(earlier, claimed_earlier, strict=True),
    ]
    known = {script: place for script, place in pairs if place is not None}
    unknown = frozenset(script for script, _ in pairs if script not in known and scripts.could_own(script))
    floor = context.last_used_index or 0
    found = _search(unknown, _doubtful_keys(psbt, known), scripts, _highest(known, coins, floor), context)
    known |= found.scripts
    return Ownership(
        inputs=tuple(known.get(script) for script in coins),
        outputs=tuple(known.get(script) for script in outputs),
        earlier_scripts=frozenset(script for script in earlier if script in known),
        found_keys=found.keys,
        last_used=_highest(known, coins, floor),
    )


def _search(
    unknown: frozenset[bytes], keys: frozenset[bytes], scripts: VaultScripts, last_used: int, context: ReviewContext
) -> Found:
    if not unknown and not keys:
        return Found({}, {})
    return scripts.search(Wanted(unknown, keys), last_used=last_used, depth=context.limits.search_depth)


def _highest(known: dict[bytes, Place], coins: Sequence[bytes], floor: int) -> int:
    return max([floor, *(known[script].index for script in coins if script in known)])


def _doubtful_keys(psbt: Psbt, known: dict[bytes, Place]) -> frozenset[bytes]:
    """Return the keys of witness scripts whose outputs nothing has shown to be ours."""
    keys: set[bytes] = set()
    for output in psbt.outputs:
        if output.witness_script is not None and output.script_pubkey not in known:
            multisig = parse_multisig(output.witness_script)
            keys.update(multisig[1] if multisig is not None else ())
    return frozenset(keys)
