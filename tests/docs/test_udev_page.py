"""The udev rules of the docs cover what HWI's drivers look for, and their file is the one that messages name."""

import re

from custody_hardware.hwi_errors import RULES_FILE
from support.hwi_bench import require_hwi
from support.source_tree import ROOT

PAGE = (ROOT / "docs/devices/udev.md").read_text(encoding="utf-8")
RULE = re.compile(
    r'(SUBSYSTEM=="usb"|KERNEL=="(?:hidraw|ttyUSB|ttyACM)\*"), ATTRS?\{idVendor\}=="([0-9a-f]{4})"'
    r'(?:, ATTRS?\{idProduct\}=="([0-9a-f]{4})")?, MODE="0660", GROUP="plugdev", TAG\+="uaccess"'
)


def rules() -> set[tuple[int, int | None]]:
    """Return vendor and product of every rule; each line has to be one."""
    (block,) = re.findall(r"```udev\n(.*?)```", PAGE, re.DOTALL)
    found = set()
    for line in block.splitlines():
        if not line.startswith("#"):
            match = RULE.fullmatch(line)
            assert match is not None, line
            found.add((int(match[2], 16), int(match[3], 16) if match[3] else None))
    return found


def test_messages_name_the_file_of_the_page() -> None:
    assert f"/etc/udev/rules.d/{RULES_FILE}" in PAGE
    assert RULES_FILE < "73"


def test_every_device_that_hwi_looks_for_has_a_rule() -> None:
    require_hwi()
    from hwilib.devices.ckcc.client import CKCC_PID, COINKITE_VID
    from hwilib.devices.jadepy.jade_serial import JadeSerialImpl
    from hwilib.devices.keepkey import KEEPKEY_HID_IDS, KEEPKEY_WEBUSB_IDS
    from hwilib.devices.ledger import LEDGER_VENDOR_ID
    from hwilib.devices.trezorlib.transport import DEV_TREZOR1, TREZORS

    bitbox02, left_out = (0x03EB, 0x2403), {(0x0403, 0x6001), (0x1A86, 0x7523)}
    wanted = {(COINKITE_VID, CKCC_PID), DEV_TREZOR1, *TREZORS, *KEEPKEY_HID_IDS, *KEEPKEY_WEBUSB_IDS, bitbox02}
    wanted |= {*JadeSerialImpl.JADE_DEVICE_IDS} - left_out
    assert rules() == wanted | {(LEDGER_VENDOR_ID, None)}
