"""Runs inside `.interop`, where PyPI's bip322-core is: one question as JSON on stdin, one answer as JSON on stdout.

Nothing of this project is imported here, so that both sides of a comparison stay strangers.
"""

import json
import sys
from typing import Any

from bip322core import verify_message  # type: ignore[import-not-found]
from bip322core.psbt import (  # type: ignore[import-not-found]
    combine_psbts,
    create_psbt,
    finalize_psbt,
    inspect_psbt,
    parse_psbt,
    signature_from_psbt,
)
from bip322core.wallet import Wallet  # type: ignore[import-not-found]


def verify(question: dict[str, Any]) -> dict[str, Any]:
    """Judge a signature."""
    result = verify_message(question["address"], question["signature"], question["message"].encode())
    return {
        "state": str(result.state),
        "reason": result.reason,
        "variant": result.variant,
        "extra_inputs": result.extra_inputs,
    }


def create(question: dict[str, Any]) -> dict[str, Any]:
    """Build the PSBT of a message for one address of a descriptor."""
    wallet = Wallet.from_descriptor(question["descriptor"], network="regtest")
    derived = wallet.derive(question["index"], question["branch"])
    options = {"xpubs": wallet.global_xpubs(), "utxo_mode": question["utxo_mode"]}
    psbt = create_psbt(derived, question["message"].encode(), **options)
    return {"psbt": psbt.to_string(), "address": derived.address}


def finish(question: dict[str, Any]) -> dict[str, Any]:
    """Combine signed PSBTs, finalize, and write the signature."""
    combined = combine_psbts([parse_psbt(text) for text in question["psbts"]])
    return {"signature": signature_from_psbt(finalize_psbt(combined))}


def inspect(question: dict[str, Any]) -> dict[str, Any]:
    """Say whether a PSBT is one of a signed message, by the BIP's rules for signers."""
    info = inspect_psbt(parse_psbt(question["psbt"]), "regtest")
    return {"is_bip322": info.is_bip322, "problems": info.problems, "warnings": info.warnings, "address": info.address}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(
        {"verify": verify, "create": create, "finish": finish, "inspect": inspect}[asked["do"]](asked), sys.stdout
    )
