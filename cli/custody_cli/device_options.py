"""Options that name models of devices: `--device MODEL`, and `--device NAME=MODEL[@FIRMWARE]` of a new vault."""

from collections.abc import Sequence

import click

from custody.codes import Code
from custody.errors import UsageError
from custody_hardware.device_profiles import MODELS

MODEL = click.Choice(MODELS)

vault_devices_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME=MODEL",
    help="On which device a cosigner's key lies (bo=ledger, bo=ledger@2.4.6); refused where that can't sign.",
)


def devices_of(texts: Sequence[str]) -> tuple[tuple[str, str, str | None], ...]:
    """Read `NAME=MODEL` or `NAME=MODEL@FIRMWARE` texts as cosigner, model and firmware.

    Raises:
        UsageError: one of them is neither.
    """
    return tuple(_device_of(text) for text in texts)


def _device_of(text: str) -> tuple[str, str, str | None]:
    name, separator, device = text.partition("=")
    model, at, firmware = device.partition("@")
    if not separator or not model or (at and not firmware):
        raise UsageError(
            Code.USAGE, "a --device is not NAME=MODEL", advice="Write --device bo=ledger, or --device bo=ledger@2.4.6."
        )
    return name, model, firmware or None
