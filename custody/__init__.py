"""Watch-only multisig custody: build, verify, draft, review, audit. Holds no key."""
