"""Embeddings of their own for the tokens a shop uses, where the network hashes all tokens into few."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from basketry.encoders.state import EncoderState


def with_learned_tokens(state: EncoderState, tokens: Sequence[Sequence[int]], least: int) -> EncoderState:
    """The state with room to learn the embeddings of tokens that stand in `least` texts or more; 0 for none.

    `tokens` are the ids of each text. Families but the n-gram one have a row for each token already and stay as they are.
    """
    if state.family != "ngram" or least == 0:
        return state
    from basketry.encoders.ngram.torch_network import learning

    ids, texts = np.unique(np.concatenate([np.unique(each) for each in tokens]), return_counts=True)
    return dataclasses.replace(state, arrays=learning(state.arrays, ids[texts >= least]))
