"""The one list of what Basketry can do. The command line, and later the HTTP routes and reference pages, come from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from basketry.app.adapt import adapt
from basketry.app.adapt_request import AdaptRequest
from basketry.app.associations import AssociationsRequest, associations
from basketry.app.audit import AuditRequest, audit
from basketry.app.build import BuildRequest, build
from basketry.app.clusters import ClustersRequest, clusters
from basketry.app.compare import CompareRequest, compare
from basketry.app.compare_rules import CompareRulesRequest, compare_rules
from basketry.app.compress import CompressRequest, compress
from basketry.app.demo import DemoRequest, demo
from basketry.app.doctor import DoctorRequest, doctor
from basketry.app.encode import EncodeRequest, encode
from basketry.app.evaluate import EvaluateRequest, evaluate
from basketry.app.experiment import ExperimentRequest, experiment
from basketry.app.explain import ExplainRequest, explain
from basketry.app.ingest import IngestRequest, ingest
from basketry.app.init import InitRequest, init
from basketry.app.mine import MineRequest, mine
from basketry.app.models import ModelsRequest, models
from basketry.app.neighbours import NeighboursRequest, neighbours
from basketry.app.neural_rules import NeuralRulesRequest, neural_rules
from basketry.app.profile import ProfileRequest, profile
from basketry.app.recommend import RecommendRequest, recommend
from basketry.app.recommend_all import RecommendAllRequest, recommend_all
from basketry.app.releases import ReleasesRequest, RollbackRequest, VerifyRequest, releases, rollback, verify
from basketry.app.report import ReportRequest, report
from basketry.app.rules import RulesRequest, rules
from basketry.app.sequences import SequencesRequest, sequences
from basketry.app.train import TrainRequest, train
from basketry.app.tune import TuneRequest, tune

if TYPE_CHECKING:
    from basketry.app.shop import Shop


@dataclass(frozen=True)
class Operation:
    """A use case under its public name: `call(shop, request)` where `request` is a frozen dataclass of type `request`.

    Every request field carries `metadata["help"]`; one with `metadata["argument"]` is positional. Every result is a frozen
    dataclass whose fields are facts (scalars), tables (frames) and notes (tuples of sentences).
    """

    name: str
    request: type[Any]
    call: Callable[[Shop, Any], Any]

    @property
    def summary(self) -> str:
        """First line of the use case's docstring."""
        return (self.call.__doc__ or "").strip().splitlines()[0]


OPERATIONS: Final = (
    Operation("init", InitRequest, init),
    Operation("ingest", IngestRequest, ingest),
    Operation("build", BuildRequest, build),
    Operation("associations", AssociationsRequest, associations),
    Operation("explain", ExplainRequest, explain),
    Operation("neighbours", NeighboursRequest, neighbours),
    Operation("clusters", ClustersRequest, clusters),
    Operation("mine", MineRequest, mine),
    Operation("rules", RulesRequest, rules),
    Operation("neural-rules", NeuralRulesRequest, neural_rules),
    Operation("compare-rules", CompareRulesRequest, compare_rules),
    Operation("sequences", SequencesRequest, sequences),
    Operation("encode", EncodeRequest, encode),
    Operation("adapt", AdaptRequest, adapt),
    Operation("models", ModelsRequest, models),
    Operation("compress", CompressRequest, compress),
    Operation("train", TrainRequest, train),
    Operation("recommend", RecommendRequest, recommend),
    Operation("recommend-all", RecommendAllRequest, recommend_all),
    Operation("profile", ProfileRequest, profile),
    Operation("compare", CompareRequest, compare),
    Operation("audit", AuditRequest, audit),
    Operation("evaluate", EvaluateRequest, evaluate),
    Operation("tune", TuneRequest, tune),
    Operation("experiment", ExperimentRequest, experiment),
    Operation("report", ReportRequest, report),
    Operation("releases", ReleasesRequest, releases),
    Operation("rollback", RollbackRequest, rollback),
    Operation("verify", VerifyRequest, verify),
    Operation("doctor", DoctorRequest, doctor),
    Operation("demo", DemoRequest, demo),
)
