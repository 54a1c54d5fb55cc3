"""Meaning as vectors: text encoders and the cache of what they encoded."""
