"""Transformer encoders (BERT, MiniLM and their kin) as arrays: read them, train them, run them on CPU."""
