"""Conversion between PSBT versions 0 and 2."""

from custody.bitcoin.psbt import Psbt


def to_version(psbt: Psbt, version: int) -> Psbt:
    """Return `psbt` as version 0 or 2; 0 → 2 → 0 gives the same bytes.

    Raises:
        InvalidInput: PSBT_CONVERSION_LOSSY where version 0 can't say it, UNSUPPORTED_PSBT_VERSION.
    """
    raise NotImplementedError
