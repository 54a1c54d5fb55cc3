"""Networks as a command trains them: named, with hyperparameters of a person's own, kept in the shop while they are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from basketry.app.shop import Shop
    from basketry.recommendation.networks import Kept
    from basketry.training.tracking import Tracker

NETWORKS: Final = ("esasrec", "sasrec", "bert4rec", "gru", "cnn", "mlp", "autoencoder", "lightgcn", "dbn")
NETWORK_HELP: Final = (
    "Hyperparameters of the network, as dim=96,dropout=0.3,epochs=10,learning_rate=0.002. Without epochs, as many as "
    "read 4 million events, 20 at most."
)


def kept_network(shop: Shop, name: str, settings: str, track: str, command: str) -> Kept:
    """The network of that name, its trainings kept in `cache/COMMAND` of the shop and tracked as `COMMAND-NAME/...`.

    Raises RequestError for a name, hyperparameter or tracker that is not known, EncoderError where the tracker is missing.
    """
    from basketry.app.tracking import tracker_of
    from basketry.recommendation.networks import EVENTS, Kept, network

    of = network(name, settings)
    tracker_of(shop, track, "asked")  # what cannot be tracked is said before any work
    chosen = "epochs" in {part.partition("=")[0].strip() for part in settings.split(",")}

    def tracker(training: str) -> Tracker | None:
        return tracker_of(shop, track, f"{command}-{name}/{training}")

    return Kept(of, kept_in(shop, command), tracker, 0 if chosen else EVENTS)


def kept_in(shop: Shop, command: str) -> Path:
    """Where a command keeps trainings under way."""
    return shop.folder / "cache" / command


def forget(shop: Shop, command: str) -> None:
    """Remove what a finished command, and those that were given up, left there."""
    from basketry.store import durable

    durable.remove_folder(kept_in(shop, command))
