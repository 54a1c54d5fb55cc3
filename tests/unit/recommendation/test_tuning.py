"""Tuning finds what is planted, goes on after a stop, and keeps the default where nothing is gained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Histories
from basketry.core.protocols import Run
from basketry.core.space import one_of, within
from basketry.evaluation.bootstrap import Interval
from basketry.recommendation.held_out import hold_out
from basketry.recommendation.popularity import Popular
from basketry.recommendation.protocols import Split
from basketry.recommendation.tuning import Budget, Study, best_of, depth_of, figures, search
from basketry.recommendation.verdict import earned, tune

pytest.importorskip("optuna", reason="tuning needs optuna (pip install 'basketry[train]')")
N = 40


@dataclass(frozen=True)
class Dial:
    """Recommends product `place` first: right for those who buy product 7 next."""

    place: int = within(0, 0, N - 1, "what is recommended")
    noisy: bool = False

    def fit(self, histories: Histories, run: Run) -> Popular:
        if self.place == 13:
            raise DataError("13 is refused", "take another")
        counts = 1 / (1 + np.abs(np.arange(histories.n_products) - self.place, dtype=np.float32))
        if self.noisy:
            counts = np.random.default_rng(run.seed).permutation(counts)
        return Popular(counts.astype(np.float32))


def fold(seed: int, n: int = 60) -> Split:
    """Everybody buys product 7 last, or, one in three, any other."""
    draw = np.random.default_rng(seed)
    rows = [[int(draw.integers(20, N)), 7 if draw.random() < 0.67 else int(draw.integers(8, 20))] for _ in range(n)]
    return hold_out(Histories.from_rows(rows, N), 0, repeats=False)


def study(estimator: object = Dial()) -> Study:
    return Study(estimator, (fold(0), fold(1), fold(2)), "mrr@10", Run(threads=1))


def test_the_planted_value_is_found_and_used(tmp_path):
    tuned = tune(study(), fold(3), Budget(trials=40), tmp_path / "journal.log")
    assert abs(tuned.tuned.place - 7) <= 1
    assert tuned.chosen == tuned.tuned
    assert tuned.gain.low > 0 and tuned.noise == 0
    assert tuned.gain.value == pytest.approx(tuned.after.value - tuned.before.value)
    assert "tuned values are used" in tuned.reason
    assert {trial.state for trial in tuned.trials} >= {"complete", "pruned"}  # far values are not followed to the last fold
    pruned = next(trial for trial in tuned.trials if trial.state == "pruned")
    assert len(pruned.folds) < 3


def test_the_default_is_kept_where_it_is_best(tmp_path):
    tuned = tune(study(Dial(place=7)), fold(3), Budget(trials=8), tmp_path / "journal.log")
    assert tuned.chosen == tuned.default == Dial(place=7)
    assert "nothing tried was better" in tuned.reason


def test_the_default_is_kept_where_a_gain_may_be_nothing(tmp_path):
    draw = np.random.default_rng(9)
    rows = [[int(one), int(two)] for one, two in draw.integers(0, N, (60, 2))]
    changed = hold_out(Histories.from_rows(rows, N), 0, repeats=False)  # nobody wants product 7 any more than another
    tuned = tune(study(), changed, Budget(trials=25), tmp_path / "journal.log")
    assert tuned.tuned != tuned.default
    assert tuned.gain.low <= 0
    assert tuned.chosen == tuned.default
    assert "may be nothing" in tuned.reason


def test_a_gain_within_the_noise_of_seeds_is_no_gain(tmp_path):
    tuned = tune(study(Dial(place=0, noisy=True)), fold(3), Budget(trials=8), tmp_path / "journal.log", seeds=8)
    wide = replace(tuned, gain=replace(tuned.gain, low=tuned.gain.value / 2))
    assert tuned.noise > tuned.gain.value
    assert tuned.chosen == tuned.default
    assert "no more than the seed changes" in replace(wide, gain=Interval(0.02, 0.01, 0.03)).reason


@pytest.mark.parametrize(
    ("low", "value", "noise", "is_one"),
    [(0.1, 0.2, 0, True), (0, 0.2, 0, False), (0.1, 0.2, 0.2, False), (0.1, 0.2, 0.1, True)],
)
def test_a_gain_is_one_above_nothing_and_above_the_noise(low, value, noise, is_one):
    assert earned(Interval(value, low, 0.3), noise) is is_one


def test_a_study_goes_on_where_it_was(tmp_path):
    file = tmp_path / "deep" / "journal.log"
    first = search(study(), Budget(trials=4), file)
    assert first[0].values == {"place": 0}  # the values at hand come first
    on = search(study(), Budget(trials=7), file)
    assert (len(first), len(on)) == (4, 7)
    assert on[:4] == first
    assert {"place": 0} not in [trial.values for trial in on[1:]]
    assert search(study(), Budget(trials=7), file) == on
    other = replace(study(), folds=(fold(5), fold(1), fold(2)))
    assert len(search(other, Budget(trials=2), file)) == 2  # other data, another study


def test_one_worker_and_one_seed_are_repeated_exactly(tmp_path):
    one, two = (search(study(), Budget(trials=12), tmp_path / name) for name in ("one", "two"))
    assert one == two


def test_a_refused_fit_is_a_failed_trial(tmp_path):
    trials = search(study(Dial(place=13)), Budget(trials=3), tmp_path / "journal.log")
    assert trials[0].state == "failed"
    assert best_of(trials).state == "complete"


@pytest.mark.slow
def test_workers_share_a_study(tmp_path):
    trials = search(study(), Budget(trials=6, workers=2), tmp_path / "journal.log")
    assert 6 <= len(trials) <= 7  # both may begin the last
    assert all(trial.state in ("complete", "pruned", "failed") for trial in trials)


def test_seconds_end_a_search(tmp_path):
    assert len(search(study(), Budget(seconds=0.05), tmp_path / "journal.log")) >= 1


def test_what_cannot_be_searched_is_said():
    @dataclass(frozen=True)
    class Fixed:
        kind: str = "a"

    with pytest.raises(RequestError, match="no field to search"):
        study(Fixed())
    with pytest.raises(RequestError, match="no fold"):
        Study(Dial(), (), "ndcg@10", Run())
    for metric in ("ndcg", "ndcg@", "auc@10", "ndcg@0"):
        with pytest.raises(RequestError, match="no figure"):
            depth_of(metric)
    with pytest.raises(RequestError, match="never ends"):
        Budget()
    with pytest.raises(RequestError, match="none of 0 trials"):
        best_of([])


def test_figures_by_hand():
    # Everybody who buys 7 has it at place 1.
    one = fold(0)
    found = figures(Dial(place=7), one, "hit@1", Run())
    assert found.mean() == pytest.approx((one.relevant.indices == 7).mean())


def test_choices_are_searched_too(tmp_path):
    @dataclass(frozen=True)
    class Choice:
        place: int = one_of(0, (0, 7), "what is recommended")

        def fit(self, histories: Histories, run: Run) -> Popular:
            return Dial(self.place).fit(histories, run)

    assert best_of(search(study(Choice()), Budget(trials=6), tmp_path / "journal.log")).values == {"place": 7}
