"""Patterns in baskets: itemsets, rules and sequences, each counted exactly, tested, and explained."""
