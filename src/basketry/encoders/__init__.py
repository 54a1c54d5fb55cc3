"""Documents in, unit vectors out: the only room that imports model runtimes."""

from basketry.encoders.cache import CachedEncoder
from basketry.encoders.registry import DEFAULT, ENCODERS, load_encoder
from basketry.encoders.weights import WEIGHTS, Weights, check_weights

__all__ = ["CachedEncoder", "DEFAULT", "ENCODERS", "WEIGHTS", "Weights", "check_weights", "load_encoder"]
