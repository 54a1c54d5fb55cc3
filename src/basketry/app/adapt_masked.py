"""Adapt by guessing: a transformer trained on a shop's texts to tell words left out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from basketry.app.adapt_checkpoints import checkpoint_folder, forget_checkpoints
from basketry.app.adapt_request import AdaptRequest, AdaptResult, measures_table
from basketry.app.tracking import tracker_of

if TYPE_CHECKING:
    from basketry.app.shop import Shop

RATE: Final = 2e-4
EPOCHS: Final = 2
PATIENCE: Final = 5  # epochs without gain that end it: guessing gets better by fits and starts


def adapt_masked(shop: Shop, request: AdaptRequest) -> AdaptResult:
    """Train, measure pseudo-perplexity on texts kept out, and publish if it is surely lower than the untouched network's."""
    import polars as pl

    from basketry.app.encoders import publish_state, shop_state
    from basketry.app.text_tables import given_texts
    from basketry.core.protocols import Run
    from basketry.encoders.documents import readable
    from basketry.training.masked import PERPLEXITY
    from basketry.training.plan import TrainingPlan
    from basketry.training.pretrain import pretrain

    own = (shop.folder / "shop.toml").is_file()
    run = Run(seed=request.seed, threads=shop.settings.threads if own else 2)
    state = shop_state(shop, request.base)
    texts = [text for text in given_texts(shop, request.source)["text"] if readable(text)]
    plan = TrainingPlan(
        learning_rate=request.learning_rate or RATE,
        epochs=request.epochs or EPOCHS,
        batch_size=request.batch_size,
        patience=PATIENCE,
    )
    folder = checkpoint_folder(shop, request, state, texts)
    found = pretrain(state, texts, plan, run, folder=folder, tracker=tracker_of(shop, request.track, request.name))
    measured = {"base": found.before, "by frequency": found.unigram, "masked": found.after}
    resampled = {name: guesses.measure(seed=run.seed) for name, guesses in measured.items()}
    gain = resampled["base"].gain_over(resampled["masked"], PERPLEXITY)
    model = ""
    if gain.low > 0 or request.keep:
        model = publish_state(shop, request.name, found.state)
    forget_checkpoints(shop, request)
    says = "guesses the shop's words better than" if gain.low > 0 else "does not surely guess the shop's words better than"
    told = f"masked {says} {request.base}: pseudo-perplexity lower by {gain.value:,.1f} ({gain.low:,.1f} to {gain.high:,.1f})"
    after = f"it tells texts apart worse until it is adapted by pairs: basketry adapt --base {model} --name ..."
    return AdaptResult(
        model=model or "none",
        base=request.base,
        pairs=found.texts[0],
        texts=sum(found.texts),
        held_out=found.texts[2],
        measures=measures_table(resampled, (PERPLEXITY,)),
        classes=pl.DataFrame(),
        notes=(told, after if model else "nothing was published; --keep publishes it all the same"),
    )
