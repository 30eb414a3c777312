"""A cosigner's key as `crypto-account` and `account-descriptor`: as the papers print it, and back."""

from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, frames_of, payload_of, recognise
from custody.bitcoin.ur_outputs import account_descriptor_message, account_message, account_of
from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.joiner import Joiner
from support.cli import run_json
from support.vaults import expression, make_keys
from support.vectors import load_vectors

FIRST = "37b5eed4"
"""Fingerprint of the papers' account."""


def _read_back(frames: list[str]) -> QrPayload:
    joiner = Joiner()
    for frame in frames:
        joiner.add(frame)
    return payload_of(joiner.transfer())


@pytest.mark.parametrize("script_type", ScriptType)
@pytest.mark.parametrize("network", [Network.MAIN, Network.TESTNET4])
@pytest.mark.parametrize("show_as", [ShowAs.UR, ShowAs.UR_PSBT])
def test_a_key_is_shown_as_an_account_and_read_back(script_type: ScriptType, network: Network, show_as: ShowAs) -> None:
    key = make_keys(1, network=network, script_type=script_type)[0]
    payload = recognise(f"{key.to_text(network)}\n".encode())
    assert payload.kind is PayloadKind.KEY
    frames = list(frames_of(payload, show_as, 2_000))
    name = "crypto-account" if show_as is ShowAs.UR else "account-descriptor"
    assert frames[0].lower().startswith(f"ur:{name}/")
    found = _read_back(frames)
    wrapper = "wsh(cosigner({}))" if script_type is ScriptType.WSH_SORTEDMULTI else "sh(wsh(cosigner({})))"
    assert found.kind is PayloadKind.ACCOUNT
    assert found.data.decode() == wrapper.format(key.to_text(network)) + "\n"


def test_a_key_of_another_path_stays_text() -> None:
    key = make_keys(1)[0]
    other = expression(b"\x0a\x0b\x0c\x0d", key.origin.path[:3], key.key)
    for show_as in (ShowAs.UR, ShowAs.UR_PSBT, ShowAs.UR_BYTES):
        payload = recognise(other.to_text(Network.REGTEST).encode())
        frames = list(frames_of(payload, show_as, 2_000))
        assert frames[0].lower().startswith("ur:bytes/")
        assert _read_back(frames) == payload


def test_the_papers_cosigner_outputs_come_out_byte_for_byte() -> None:
    compared = 0
    for row in load_vectors("bcur.json")["papers"]:
        for name, make in (("crypto-account", account_message), ("account-descriptor", account_descriptor_message)):
            if not row["ur"].startswith(f"ur:{name}/"):
                continue
            message = bytes.fromhex(row["cbor_hex"])
            value: Any = cbor_decode(message)
            for place, output in enumerate(account_of(message).outputs):
                if "wsh(cosigner(" not in output:
                    continue
                key = KeyExpression.parse(output.partition("cosigner(")[2].rstrip(")"), Network.MAIN)
                assert key.origin.fingerprint.hex() == FIRST
                assert make(key, Network.MAIN) == cbor_encode({1: value[1], 2: (value[2][place],)})
                compared += 1
    assert compared == 4


def test_a_key_file_on_the_command_line(tmp_path: Path) -> None:
    key = make_keys(1)[0]
    (tmp_path / "ann.txt").write_text(key.to_text(Network.REGTEST) + "\n")
    shown = run_json(["qr", "show", tmp_path / "ann.txt"])
    assert (shown["kind"], shown["frames"][0][:18].lower()) == ("key", "ur:crypto-account/")
    (tmp_path / "frames.txt").write_text("\n".join(shown["frames"]))
    back = run_json(["qr", "read", tmp_path / "frames.txt"])
    assert back["kind"] == "account"
    assert key.to_text(Network.TESTNET4) in back["content"]
