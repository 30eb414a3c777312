"""`signer` in custody.yaml: a program or a Python, never a shell's line, never a secret (A92)."""

from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from custody.workspace.settings import Settings, load_settings, save_settings
from custody.workspace.signer_settings import SignerSettings
from custody_hardware.external_bus import ExternalBus
from custody_hardware.hwi_bus import HwiBus
from custody_hardware.open_bus import open_bus

XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


@pytest.mark.parametrize(
    "signer",
    [
        SignerSettings(python=Path("/opt/hwi/bin/python")),
        SignerSettings(command=("/usr/bin/hwi",), wait_s=30),
        SignerSettings(wait_s=86_400),
        SignerSettings(emulators=True),
        SignerSettings(drivers=("coldcard", "ledger")),
        SignerSettings(python=Path("/opt/hwi/bin/python"), drivers=("jade",)),
        SignerSettings(command=("/usr/bin/hwi", "--expert")),
    ],
)
def test_signer_settings_read_back(tmp_path: Path, signer: SignerSettings) -> None:
    path = tmp_path / "custody.yaml"
    save_settings(path, Settings(signer=signer))
    assert load_settings(path).signer == signer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("signer: hwi", Code.MALFORMED_DOCUMENT),
        ("signer: {}", Code.MALFORMED_DOCUMENT),
        ("signer:\n  comand: [hwi]", Code.UNKNOWN_FIELD),
        ("signer:\n  command: hwi --stdin", Code.MALFORMED_DOCUMENT),
        ("signer:\n  command: []", Code.MALFORMED_DOCUMENT),
        ("signer:\n  command: [hwi, 1]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  command: [bin/hwi]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  python: python3", Code.MALFORMED_DOCUMENT),
        ("signer:\n  python: /usr/bin/python3\n  command: [hwi]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  emulators: 1", Code.MALFORMED_DOCUMENT),
        ("signer:\n  emulators: true\n  command: [hwi]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  wait_s: 0", Code.MALFORMED_DOCUMENT),
        ("signer:\n  wait_s: 86401", Code.MALFORMED_DOCUMENT),
        ("signer:\n  command: [hwi]\n  wait_s: soon", Code.MALFORMED_DOCUMENT),
        ("signer:\n  drivers: [coldcard]\n  command: [hwi]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  drivers: []", Code.MALFORMED_DOCUMENT),
        ("signer:\n  drivers: [coldcart]", Code.MALFORMED_DOCUMENT),
        ("signer:\n  drivers: [jade, jade]", Code.MALFORMED_DOCUMENT),
    ],
)
def test_a_malformed_signer_is_refused(tmp_path: Path, text: str, code: Code) -> None:
    path = tmp_path / "custody.yaml"
    path.write_text(f"format: custody-settings/1\n{text}\n")
    with pytest.raises(InvalidInput) as caught:
        load_settings(path)
    assert caught.value.code is code


@pytest.mark.parametrize("word", ["-p", "--password", "--password=horse", XPRV])
def test_a_secret_in_the_command_is_refused_and_not_repeated(tmp_path: Path, word: str) -> None:
    path = tmp_path / "custody.yaml"
    path.write_text(f"format: custody-settings/1\nsigner:\n  command: [hwi, '{word}', horse]\n")
    with pytest.raises(SecretRefused) as caught:
        load_settings(path)
    assert caught.value.code is Code.SECRET_MATERIAL
    assert "horse" not in str(caught.value) and XPRV not in str(caught.value)


def test_settings_choose_the_bus() -> None:
    assert isinstance(open_bus(None), HwiBus)
    assert isinstance(open_bus(SignerSettings(python=Path("/opt/hwi/bin/python"))), HwiBus)
    bus = open_bus(SignerSettings(command=("/usr/local/bin/bhwi",)))
    assert isinstance(bus, ExternalBus) and bus.name == "bhwi"
