"""The parts of `benchmarks/quality/products.py`."""
