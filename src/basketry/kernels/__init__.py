"""Compiled array maths: arrays in, arrays out; knows nothing of shops."""
