"""The reserve's public page."""
