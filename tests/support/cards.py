"""What devices leave on a card: the same signature in each one's shape and under each one's name.

Source of names and shapes: the devices' own firmware, as read for the device profiles. The
signatures are the simulator's.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import Transaction
from custody.spend.review_model import ReviewContext
from custody.workflow.psbt_files import finalize_file
from support.rehearsal import Rehearsal


@dataclass(frozen=True)
class Signed:
    """A PSBT that one simulated device has just signed, and where it lay."""

    folder: Path
    stem: str
    psbt: Psbt
    final: Transaction | None
    """Where its signature completed the quorum."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside the one that went in."""
        (self.folder / name).write_bytes(content)

    def blank(self) -> None:
        """Overwrite the file that went in with zeros, as some devices do."""
        path = self.folder / f"{self.stem}.psbt"
        path.write_bytes(bytes(path.stat().st_size))


def trimmed(psbt: Psbt) -> Psbt:
    """Return the unsigned transaction and the partial signatures, all else left out."""
    bare = Psbt.create(psbt.unsigned_transaction())
    inputs = zip(bare.inputs, psbt.inputs, strict=True)
    return replace(bare, inputs=tuple(replace(own, partial_signatures=one.partial_signatures) for own, one in inputs))


def _coldcard(signed: Signed) -> None:
    if signed.final is None:
        signed.write(f"{signed.stem}-part.psbt", signed.psbt.serialize())
    else:
        signed.write(f"{signed.stem}-signed.psbt", signed.psbt.serialize())
        signed.write(f"{signed.stem}-final.txn", signed.final.serialize().hex().encode())


def _coldcard_that_deletes(signed: Signed) -> None:
    if signed.final is None:
        signed.write(f"{signed.stem}-part.psbt", signed.psbt.serialize())
    else:
        signed.write(f"{signed.final.txid}.txn", signed.final.serialize().hex().encode() + b"\n")
    signed.blank()


def _passport(signed: Signed) -> None:
    signed.write(f"{signed.stem}-signed.psbt", signed.psbt.serialize())
    signed.blank()


def _keystone(signed: Signed) -> None:
    signed.write("tx_9f1c22ab_1767225600_signed.psbt", signed.psbt.serialize())


def _specter(signed: Signed) -> None:
    signed.write(f"{signed.stem}.signed.8ab2.psbt", base64.b64encode(trimmed(signed.psbt).serialize()))


def _seedsigner(signed: Signed) -> None:
    signed.write("from-qr.txt", base64.b64encode(trimmed(signed.psbt).serialize()) + b"\r\n")


def _jade(signed: Signed) -> None:
    signed.write(f"{signed.stem}_signed.psbt", signed.psbt.serialize())


def _ledger_by_hwi(signed: Signed) -> None:
    signed.write("signed.txt", base64.b64encode(signed.psbt.serialize()))


def _in_version_2(signed: Signed) -> None:
    signed.write("ANSWER.PSB", to_version(signed.psbt, 2).serialize())


def _in_hex(signed: Signed) -> None:
    signed.write("copy of payment (1).txt", signed.psbt.serialize().hex().upper().encode())


def _in_lines(signed: Signed) -> None:
    signed.write("mailed.txt", base64.encodebytes(signed.psbt.serialize()).replace(b"\n", b"\r\n"))


ANSWERS: Mapping[str, Callable[[Signed], None]] = {
    "coldcard": _coldcard,
    "coldcard with delete PSBTs": _coldcard_that_deletes,
    "passport": _passport,
    "keystone": _keystone,
    "specter-diy": _specter,
    "seedsigner": _seedsigner,
    "jade": _jade,
    "ledger": _ledger_by_hwi,
    "psbt version 2": _in_version_2,
    "psbt in hex": _in_hex,
    "base64 broken into lines": _in_lines,
}
"""By device: writes its answer into the folder that the file came in."""


def sign_card(office: Rehearsal, folder: Path, number: int, answer: Callable[[Signed], None]) -> None:
    """Let simulated device `number` sign its file on the card and answer in another device's shape."""
    path = next(folder.glob(f"*-{number}-c{number}.psbt"))
    unsigned = psbt_from_text_or_bytes(path.read_bytes())
    psbt = Psbt.parse(office.device(number).sign(unsigned.serialize()))
    signers = min(len(one.partial_signatures) for one in psbt.inputs)
    final = None
    if signers >= office.vault.threshold:
        final = finalize_file(psbt, office.vault, ReviewContext()).transaction
    answer(Signed(folder, path.stem, psbt, final))
