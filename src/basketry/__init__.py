"""Basketry: what goes with what in a shop, measured, tested and explained."""
