"""A Jade behind its own library: HWI's client calls it as it calls `JadeAPI`.

Rules: no network that its own list lacks; records of fewer than 16 characters in their name, 1 to 15
signers, itself among them with the right key; addresses only of a record; a PSBT without a matching
record is signed all the same (its change shows as a payment); a locked one without a network stays shut.
Source: Blockstream/Jade, main/multisig.c, main/process/sign_psbt.c; HWI 3.2.0, hwilib/devices/jade.py.
"""

from types import ModuleType, SimpleNamespace
from typing import Any

from embit.psbt import PSBT

from support.hwi_doubles.core import Bench, Double, Wallet, path_text, steps_of
from support.hwi_doubles.psbt_signing import sign_psbt

_VARIANTS = {"wsh(multi(k))": False, "sh(wsh(multi(k)))": True}
_IDS = (0x10C4, 0xEA60)


def install(module: ModuleType, bench: Bench) -> None:
    """Put the bench's Jades behind `JadeAPI`."""
    from hwilib.devices.jadepy.jade_error import JadeError
    from serial import SerialException

    class Api:
        def __init__(self, double: Double) -> None:
            self.double = double

        @staticmethod
        def create_serial(path: str, timeout: int | None = None) -> "Api":
            return Api(bench.at(path))

        def connect(self) -> None:
            if self.double.trouble("open") == "permission":
                raise SerialException(13, f"could not open port {self.double.path}: [Errno 13] Permission denied")

        def disconnect(self) -> None:
            """Nothing is held open."""

        def get_version_info(self) -> dict[str, str]:
            state = "LOCKED" if self.double.record["locked"] else "READY"
            return {"JADE_VERSION": self.double.record["firmware"], "JADE_STATE": state}

        def add_entropy(self, _entropy: bytes) -> bool:
            return True

        def auth_user(self, network: str) -> bool:
            assert network in ("mainnet", "testnet", "localtest")
            return True

        def get_xpub(self, _network: str, path: list[int]) -> str:
            self._trouble("key")
            return self.double.xpub(path)

        def register_multisig(
            self, network: str, name: str, variant: str, is_sorted: bool, threshold: int, signers: list[dict[str, Any]]
        ) -> bool:
            self._trouble("register")
            keys = [[s["fingerprint"].hex(), path_text(s["derivation"]), s["xpub"]] for s in signers]
            own = [key for key in keys if key[0] == self.double.fingerprint.hex()]
            if not 1 <= len(name) < 16 or not 1 <= len(keys) <= 15 or not is_sorted:
                raise JadeError(JadeError.BAD_PARAMETERS, "Invalid multisig registration", None)
            if not own or self.double.xpub(steps_of(own[0][1])) != own[0][2]:
                raise JadeError(JadeError.BAD_PARAMETERS, "Failed to validate multisig signers", None)
            self.double.keep(Wallet(name, threshold, keys, _VARIANTS[variant]))
            return True

        def get_receive_address(self, network: str, paths: list[list[int]], multisig_name: str) -> str:
            self._trouble("show")
            for wallet in self.double.wallets:
                if wallet.name == multisig_name and len(paths) == len(wallet.keys):
                    return wallet.address(*paths[0], hrp={"mainnet": "bc", "testnet": "tb"}.get(network, "bcrt"))
            raise JadeError(JadeError.BAD_PARAMETERS, "Cannot find named multisig wallet", None)

        def sign_psbt(self, _network: str, psbt: bytes) -> bytes:
            self._trouble("sign")
            origins = PSBT.parse(psbt).inputs[0].bip32_derivations.values()
            stated = {bytes(origin.fingerprint).hex() for origin in origins}
            for wallet in self.double.wallets:
                if wallet.fingerprints() == stated:
                    return sign_psbt(self.double, psbt, wallet)
            raise JadeError(JadeError.BAD_PARAMETERS, "Multisig not registered", None)

        def _trouble(self, step: str) -> None:
            what = self.double.trouble(step)
            if what == "refuse":
                raise JadeError(JadeError.USER_CANCELLED, "User declined", None)
            if what == "lock":
                raise JadeError(JadeError.HW_LOCKED, "Device locked", None)
            if what == "unplug":
                raise SerialException("device reports readiness to read but returned no data")

    def ports() -> list[SimpleNamespace]:
        return [SimpleNamespace(vid=_IDS[0], pid=_IDS[1], device=one.path) for one in bench.of("jade")]

    module.JadeAPI = Api  # type: ignore[attr-defined]
    module.list_ports = SimpleNamespace(comports=ports)  # type: ignore[attr-defined]
