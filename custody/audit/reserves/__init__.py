"""Proofs of reserves: the auditor's challenge, the holder's statement, and its verification."""
