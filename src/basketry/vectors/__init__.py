"""Vectors: which of them lie nearest, exactly or nearly, and how to hold them in fewer bytes. Only here is faiss imported."""

from basketry.vectors.exact import nearest
from basketry.vectors.index import Allowed, Nearest, VectorIndex
from basketry.vectors.indexing import VectorIndexing
from basketry.vectors.quantisation import CompressedVectors, ProductQuantisation, Reconstruction, ScalarQuantisation
from basketry.vectors.recall import Recall

__all__ = [
    "Allowed",
    "CompressedVectors",
    "Nearest",
    "ProductQuantisation",
    "Recall",
    "Reconstruction",
    "ScalarQuantisation",
    "VectorIndex",
    "VectorIndexing",
    "nearest",
]
