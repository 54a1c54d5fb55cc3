"""The exam of the literature on real data, told by its digest."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from basketry.core.histories import Histories
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.protocols import leave_one_out

pytestmark = pytest.mark.data


def test_beauty_is_asked_as_the_literature_asks(datasets):
    with gzip.open(datasets / "s3rec_amazon" / "Beauty.txt.gz", "rt") as lines:
        rows = [[int(code) - 1 for code in line.split()[1:]] for line in lines]
    split = leave_one_out(Histories.from_rows(rows, 12_101))
    assert split.digest == "0dd12b731e0249dea017f411deca06699f688907023bcc622f288ba0950f5300"
    assert len(split.queries) == split.relevant.nnz == 22_363
    assert split.relevant.indices.tolist() == [row[-1] for row in rows]
    assert len(split.train.products) == 198_502 - 2 * 22_363
    oracle = np.array([row[-1:] for row in rows])
    assert Questions(split.relevant, split.customers).measure(oracle, (1,), resamples=0).values["ndcg@1"][0] == 1
