"""`python -m custody_hardware.hwi_worker`: one request on standard input, one answer on standard output."""

from .serve import main

main()
