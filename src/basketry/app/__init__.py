"""Use cases: one file each, and the one list of them."""
