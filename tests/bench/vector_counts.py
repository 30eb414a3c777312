"""Count the verdict on every published vector file: `make vectors`.

Prints, for each file, how many rows were accepted, refused as valid but not built, refused
as invalid, and wrong; exits 1 if any is wrong. `--write` puts the same table into
docs/vectors.md, `--check` compares it with what stands there. The checks themselves are in
tests/support/vector_verdicts_*.py.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import (
    vector_verdicts_bsms,
    vector_verdicts_keys,
    vector_verdicts_psbt,
    vector_verdicts_qr,
    vector_verdicts_wallets,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "vectors.md"
COLUMNS = ("accepted", "refused_unsupported", "refused_invalid", "wrong")
CHECKS = {
    **vector_verdicts_keys.CHECKS,
    **vector_verdicts_psbt.CHECKS,
    **vector_verdicts_wallets.CHECKS,
    **vector_verdicts_bsms.CHECKS,
    **vector_verdicts_qr.CHECKS,
}
SOURCES = {
    "bip32.json": "BIP 32, test vectors 1 to 5",
    "bip67.json": "BIP 67",
    "bip173_350_segwit_addresses.json": "BIP 173 and 350",
    "core_key_io_valid.json": "Bitcoin Core, key_io_valid.json",
    "core_key_io_invalid.json": "Bitcoin Core, key_io_invalid.json",
    "core_base58.json": "Bitcoin Core, base58_encode_decode.json",
    "bip380_descriptor_checksum_and_keys.json": "BIP 380",
    "bip381_390_descriptors.json": "BIP 381 to 387, 389 and 390",
    "core_descriptor_tests.json": "Bitcoin Core, descriptor_tests.cpp",
    "core_descriptor_multipath_musig.json": "Bitcoin Core, multipath and musig descriptors, from a downstream copy",
    "descriptor_checksums.json": "Descriptors printed in BIPs and in the tests of 14 projects",
    "bip174.json": "BIP 174",
    "bip370_psbtv2.json": "BIP 370",
    "bip371_taproot_psbt.json": "BIP 371",
    "bip373_musig2_psbt.json": "BIP 373",
    "core_rpc_psbt.json": "Bitcoin Core, rpc_psbt.json, from downstream copies",
    "bip388_wallet_policies.json": "BIP 388",
    "caravan_wallet_exports.json": "Caravan, wallets and the Coldcard texts of the same wallets",
    "coldcard_multisig_exports.json": "Coldcard, one wallet in each of its exports, and single keys",
    "electrum_multisig_wallets.json": "Electrum, wallets with seeds, versions 2.0 to 2.9",
    "sparrow_exports.json": "Sparrow's samples of the programs that it reads",
    "sparrow_bsms.json": "Sparrow's samples of BSMS 1.0",
    "bip322_message_signing.json": "BIP 322, messages signed",
    "bip129_bsms.json": "BIP 129, tokens, records and encrypted records, each of these also with a changed byte",
    "bbqr.json": "BBQr, payloads in each encoding",
    "bcur.json": "Uniform resources, Blockchain Commons' papers and hummingbird's tests",
    "bcur_multipart.json": "Uniform resources in several parts, lists of foundation-ur-py",
}
INTRODUCTION = """# Published vectors, counted

Every vector that the BIPs and Bitcoin Core publish for what this project reads, and the verdict on each row.
`make vectors` prints this table again and ends with exit code 1 if a verdict is wrong. The vector files stand
beside the checkout and are not part of it; a test compares this page with the counts where they are there.

- **accepted**: read, and the keys, scripts, addresses or bytes that the file prints came out.
- **not built**: valid, and refused by name: another kind of descriptor, wallet or PSBT field, a rule of custody that
  is stricter than the BIP (no key without origin, no hardened step below an xpub), a private key,
  an encrypted file, or UR version 1.
- **invalid**: refused, as the file demands. The invalid rows of BIP 371 and 373 count as not built, because the
  reader refuses their fields before it looks inside.
- **wrong**: an invalid row accepted, a valid row called malformed, or other scripts than the file's.
"""


def count_all() -> dict[str, Mapping[str, int]]:
    """Return the verdicts of each file that is there, by its name."""
    counted: dict[str, Mapping[str, int]] = {}
    for name, check in CHECKS.items():
        try:
            counted[name] = check()
        except pytest.skip.Exception as absent:
            print(f"{name}: {absent}", file=sys.stderr)
    return counted


def total(counted: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of all files."""
    return {column: sum(verdicts[column] for verdicts in counted.values()) for column in COLUMNS}


def to_text(counted: Mapping[str, Mapping[str, int]]) -> str:
    """Return the table as printed."""
    rows = [(name, *(str(verdicts[column]) for column in COLUMNS)) for name, verdicts in counted.items()]
    rows = [("file", *COLUMNS), *rows, ("all", *(str(number) for number in total(counted).values()))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS) + 1)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def to_page(counted: Mapping[str, Mapping[str, int]]) -> str:
    """Return docs/vectors.md."""
    lines = [
        INTRODUCTION,
        "| Source | File | accepted | not built | invalid | wrong |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, verdicts in counted.items():
        lines.append(_row(SOURCES[name], f"`{name}`", verdicts))
    lines.append(_row("**All**", "", total(counted)))
    return "\n".join(lines) + "\n"


def _row(source: str, name: str, verdicts: Mapping[str, int]) -> str:
    return f"| {source} | {name} | " + " | ".join(str(verdicts[column]) for column in COLUMNS) + " |"


def main() -> int:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/vectors.md")
    parser.add_argument("--check", action="store_true", help="exit 1 if docs/vectors.md says something else")
    options = parser.parse_args()
    counted = count_all()
    print(to_text(counted))
    complete = counted.keys() == CHECKS.keys()
    if (options.write or options.check) and not complete:
        print("some vector files are missing: docs/vectors.md is neither written nor checked", file=sys.stderr)
        return 1
    if options.write:
        DOCUMENT.write_text(to_page(counted))
    if options.check and DOCUMENT.read_text() != to_page(counted):
        print("docs/vectors.md differs: run with --write", file=sys.stderr)
        return 1
    return 1 if total(counted)["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
