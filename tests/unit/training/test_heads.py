import numpy as np
import pytest
from sklearn.metrics import f1_score

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.training.heads import Classifier, Head


def world(sizes, seed=0, spread=0.6):
    """Unit vectors around one direction a class."""
    random = np.random.default_rng(seed)
    centres = np.linalg.qr(np.random.default_rng(9).normal(size=(8, 8)))[0][: len(sizes)]
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centres[truth] + random.normal(0, spread, (len(truth), 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), [f"class {each}" for each in truth]


@pytest.mark.parametrize("classes", [2, 4])
def test_it_tells_classes_apart_and_its_probabilities_add_up(classes):
    head = Classifier().fit(*world([200] * classes), Run())
    vectors, labels = world([100] * classes, seed=1)
    share = head.predict_proba(vectors)
    assert np.allclose(share.sum(axis=1), 1, atol=1e-5)
    right = np.array(head.named(head.predict(vectors))) == np.array(labels)
    assert right.mean() > 1.5 / classes
    assert share.max(axis=1)[right].mean() > share.max(axis=1)[~right].mean()


def test_it_equals_scikit_learn_where_nothing_is_chosen():
    from sklearn.linear_model import LogisticRegression

    vectors, labels = world([60, 90, 30])
    head = Classifier(regs=(1e-2,), balance=0.0, iterations=1000).fit(vectors, labels, Run())
    model = LogisticRegression(C=1 / (1e-2 * len(labels)), max_iter=1000).fit(vectors, labels)
    assert np.allclose(head.predict_proba(vectors), model.predict_proba(vectors), atol=1e-4)


def test_balance_finds_more_of_a_rare_class():
    vectors, labels = world([900, 40])
    fresh, truth = world([900, 40], seed=5)
    found = {
        balance: np.array(head.named(head.predict(fresh)))
        for balance in (0.0, 1.0)
        for head in [Classifier(regs=(1e-3,), balance=balance).fit(vectors, labels, Run())]
    }
    rare = np.array(truth) == "class 1"
    recall = {balance: float((guess[rare] == "class 1").mean()) for balance, guess in found.items()}
    assert recall[1.0] > recall[0.0] + 0.1


def test_the_regularisation_is_chosen_on_cases_kept_out():
    head = Classifier(regs=(1e-5, 1e3)).fit(*world([100, 100, 100]), Run())
    assert head.reg == 1e-5
    assert [reg for reg, _ in head.tried] == [1e-5, 1e3]


def test_a_head_comes_back_from_its_arrays():
    vectors, labels = world([50, 50])
    head = Classifier(regs=(1e-3,)).fit(vectors, [label.replace("class", "类") for label in labels], Run())
    back = Head.from_state(head.state())
    assert back.labels == head.labels and back.reg == head.reg and back.tried == head.tried
    assert np.array_equal(back.predict_proba(vectors), head.predict_proba(vectors))


def test_a_class_of_one_case_is_kept():
    vectors, labels = world([50, 50, 1])
    head = Classifier().fit(vectors, labels, Run())
    assert head.labels == ("class 0", "class 1", "class 2")
    assert f1_score(labels, head.named(head.predict(vectors)), average="micro") > 0.7


def test_what_cannot_be_learned_is_refused():
    vectors, labels = world([5, 5])
    with pytest.raises(RequestError, match="1 class"):
        Classifier().fit(vectors[:5], labels[:5], Run())
    with pytest.raises(RequestError, match="10 vectors and 3 labels"):
        Classifier().fit(vectors, labels[:3], Run())
    with pytest.raises(RequestError, match="8 dimensions"):
        Classifier(regs=(1e-2,)).fit(vectors, labels, Run()).predict(np.zeros((1, 4), dtype=np.float32))
    for wrong in ({"regs": ()}, {"balance": 2.0}):
        with pytest.raises(RequestError):
            Classifier(**wrong)
