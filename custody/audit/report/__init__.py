"""The report of a period, in all its forms."""
