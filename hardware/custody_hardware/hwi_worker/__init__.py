"""The child process that talks to hardware wallets: the only place that imports HWI.

It knows the standard library, `hwilib` and itself, so that any interpreter that has HWI can run it.
"""
