"""Masking counted by hand, perplexity against a loop, and a language with a rule that training finds."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from basketry.core.errors import EncoderError, RequestError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.encoders.models import network_of, tokeniser_of  # noqa: E402
from basketry.encoders.state import EncoderState  # noqa: E402
from basketry.training.masked import (  # noqa: E402
    MaskedLanguage,
    Vocabulary,
    guessed,
    guessed_by_frequency,
    tokens_of,
)
from basketry.training.plan import TrainingPlan  # noqa: E402
from basketry.training.pretrain import pretrain  # noqa: E402
from transformer_worlds import WORDS, transformer  # noqa: E402

PLAIN = [word for word in WORDS if word.isascii() and word.isalpha()]
PIECES = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "choco", "##late", "##s", "milk", "[unused1]"]


def with_vocabulary(names: list[str]) -> EncoderState:
    table = {"model": {"vocab": {name: number for number, name in enumerate(names)}}}
    arrays = {"embeddings.word": np.eye(len(names), 6, dtype=np.float32)}
    return EncoderState("transformer", arrays, {}, {"tokenizer.json": json.dumps(table).encode()})


def test_the_vocabulary_says_what_is_special_and_what_begins_a_word() -> None:
    words = Vocabulary.of(with_vocabulary(PIECES))
    assert words.mask == 3
    assert words.special.tolist() == [True, True, True, True, False, False, False, False, True]
    assert words.begins.tolist() == [True, True, True, True, True, False, False, True, True]
    with pytest.raises(EncoderError, match="no mask token"):
        Vocabulary.of(with_vocabulary(["[PAD]", "milk"]))


def test_sentencepiece_words_begin_with_their_sign() -> None:
    table = {"model": {"vocab": [["<s>", 0.0], ["</s>", 0.0], ["<mask>", 0.0], ["▁tea", -1.0], ["s", -2.0]]}}
    arrays = {"embeddings.word": np.zeros((5, 4), np.float32)}
    words = Vocabulary.of(EncoderState("transformer", arrays, {}, {"tokenizer.json": json.dumps(table).encode()}))
    assert words.begins.tolist() == [False, False, False, True, False] and words.special.tolist() == [True] * 3 + [False] * 2


def test_a_share_of_each_texts_tokens_is_chosen_and_at_least_one() -> None:
    objective = MaskedLanguage(with_vocabulary(PIECES), share=0.25, whole_words=False)
    ids = torch.tensor([[1, *[7] * 20, 2], [1, 7, 2, *[0] * 19]])
    mask = ids != 0
    torch.manual_seed(0)
    counts = torch.zeros(ids.shape)
    for _ in range(400):
        chosen = objective.chosen(ids, mask)
        assert chosen.sum(1).tolist() == [5, 1]
        counts += chosen
    assert counts[0, 0] == counts[0, -1] == counts[1, 0] == 0 and counts[1, 1] == 400
    assert counts[0, 1:-1] == pytest.approx(np.full(20, 100), abs=40)


def test_whole_words_are_chosen_whole() -> None:
    objective = MaskedLanguage(with_vocabulary(PIECES), share=0.2)
    ids = torch.tensor([[1, 7, 4, 5, 6, 7, 2]])  # milk choco ##late ##s milk
    torch.manual_seed(0)
    found = {tuple(objective.chosen(ids, ids != 0)[0].nonzero()[:, 0].tolist()) for _ in range(60)}
    assert found == {(1,), (2, 3, 4), (5,)}


def test_of_the_chosen_eight_in_ten_are_masked_one_is_random_and_one_shown() -> None:
    objective = MaskedLanguage(with_vocabulary(PIECES))
    ids = torch.full((40, 500), 7)
    chosen = torch.zeros_like(ids, dtype=torch.bool)
    chosen[:, ::2] = True
    torch.manual_seed(0)
    shown = objective.shown(ids, chosen)
    assert (shown[~chosen] == 7).all()
    masked = (shown[chosen] == 3).float().mean().item()
    # Of the tenth drawn at random a quarter is milk again: the four usual tokens are drawn alike.
    others = [(shown[chosen] == other).float().mean().item() for other in (4, 5, 6)]
    assert masked == pytest.approx(0.8, abs=0.015) and others == pytest.approx([0.025] * 3, abs=0.006)


def test_the_loss_is_the_mean_over_texts_of_the_mean_over_their_chosen_tokens() -> None:
    """A decoder whose every guess is its bias: -log P of token k is log(sum of exp b) - b_k, whatever the network says."""
    state = transformer()
    objective, module = MaskedLanguage(state, share=0.5), network_of(state)
    with torch.no_grad():
        objective.norm.weight.zero_()
        objective.bias.copy_(torch.linspace(-1, 1, len(objective.bias)))
    tokens = tokeniser_of(state)([" ".join(PLAIN[:6]), PLAIN[7]])
    ids = torch.tensor([tokens[0], tokens[1] + [0] * 5])
    mask = torch.tensor([[True] * 8, [True] * 3 + [False] * 5])
    torch.manual_seed(1)
    chosen = objective.chosen(ids, mask)
    losses = -objective.bias.log_softmax(0)
    expected = np.mean([losses[ids[row]][chosen[row]].mean().item() for row in range(2)])
    torch.manual_seed(1)
    assert objective(module, {"ids": ids, "mask": mask}).item() == pytest.approx(expected, rel=1e-5)


def test_pseudo_perplexity_equals_masking_one_token_at_a_time() -> None:
    state = transformer()
    module, objective = network_of(state), MaskedLanguage(state)
    tokens = tokeniser_of(state)([" ".join(PLAIN[first : first + size]) for first, size in ((0, 3), (3, 6), (9, 1))])
    logs = []
    with torch.no_grad():
        for text in tokens:
            for place in range(1, len(text) - 1):
                ids = torch.tensor([text])
                ids[0, place] = 4
                last = module.hidden(ids, torch.ones_like(ids))[-1][0, place]
                guess = objective.norm(torch.nn.functional.gelu(objective.transform(last)))
                scores = module.embeddings.word @ guess + objective.bias
                logs.append(scores.log_softmax(0)[text[place]].item())
    assert len(logs) == 10
    found = guessed(module, objective, tokens)
    assert found.perplexity == pytest.approx(math.exp(-np.mean(logs)), rel=1e-4)
    assert found.counts.tolist() == [3, 6, 1]
    assert found.logs == pytest.approx([sum(logs[:3]), sum(logs[3:9]), logs[9]], rel=1e-4)
    with pytest.raises(RequestError, match="no text has a token to guess"):
        guessed(module, objective, [[2, 3]])


def test_unigram_perplexity_by_hand() -> None:
    """Learned: token 4 three times, 5 once; with one added, of 4..7: 4/8, 2/8, 1/8, 1/8. Measured 4 and 6: (2 * 8) ** 0.5."""
    special = torch.tensor([True, True, True, True, False, False, False, False])
    found = guessed_by_frequency([[1, 4, 4, 5, 2], [4]], [[1, 4, 2], [6]], special)
    assert found.perplexity == pytest.approx(4.0) and found.counts.tolist() == [1, 1]


def test_training_finds_the_rule_of_a_language(tmp_path) -> None:
    """Texts `a b c`: c is free among 6, a and b belong together: 6 without that, 3.3 with a from b alone, 1.8 with both."""
    texts = [f"{PLAIN[a]} {PLAIN[6 + a]} {PLAIN[12 + c]}" for a in range(6) for c in range(6)]
    state = transformer(seed=3, heads=(4,), feed=(32,))
    plan = TrainingPlan(learning_rate=0.02, epochs=60, batch_size=32, weight_decay=0)
    found = pretrain(state, texts, plan, Run(seed=1, threads=1), folder=tmp_path)
    assert found.texts == (30, 3, 3)
    assert found.unigram.perplexity > 10 and found.before.perplexity > 5 and found.after.perplexity < 3.3
    assert (
        found.state.history[-1]["pseudo_perplexity"]["after"] == found.after.perplexity and found.state.digest != state.digest
    )
    assert found.state.settings == state.settings and set(found.state.arrays) == set(state.arrays)
    again = pretrain(state, texts, plan, Run(seed=1, threads=1), folder=tmp_path)
    assert again.state.digest == found.state.digest and again.after.perplexity == found.after.perplexity


def test_what_cannot_be_is_refused() -> None:
    plan, run = TrainingPlan(), Run()
    with pytest.raises(RequestError, match="2 distinct texts are too few"):
        pretrain(transformer(), ["milk", "tea"] * 50, plan, run)
    with pytest.raises(RequestError, match=r"share of 1\.0"):
        MaskedLanguage(transformer(), share=1.0)
    bare = dataclasses.replace(transformer(), files=with_vocabulary(["[PAD]", "milk"]).files)
    with pytest.raises(EncoderError, match="no mask token"):
        MaskedLanguage(bare)
    state = transformer()
    assert tokens_of(state, [[2, 3], [2, 9, 3]]) == [[2, 9, 3]]
