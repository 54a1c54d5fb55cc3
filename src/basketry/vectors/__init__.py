"""Vectors: which of them lie nearest, exactly or nearly, and how to hold them in fewer bytes. The only room that imports faiss."""

from basketry.vectors.exact import nearest
from basketry.vectors.index import Allowed, Nearest, VectorIndex
from basketry.vectors.indexing import VectorIndexing
from basketry.vectors.recall import Recall

__all__ = [
    "Allowed",
    "Nearest",
    "Recall",
    "VectorIndex",
    "VectorIndexing",
    "nearest",
]
