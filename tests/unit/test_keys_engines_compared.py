"""The comparison that `million_addresses.py` runs a million times, here 20,000 times."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "bench" / "million_addresses.py"


def test_twenty_thousand_addresses_of_random_vaults_are_the_same_in_both_engines() -> None:
    arguments = [sys.executable, str(SCRIPT), "--count", "20000", "--seed", "20000"]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=240)
    assert re.match(r"vaults 40  addresses 20000  differences 0  seconds ", run.stdout), run.stdout + run.stderr
    assert run.returncode == 0
