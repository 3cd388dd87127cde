"""Result files: one JSON for each encoder, revision, task and protocol.

`result.json` holds all that identifies a run, its choice and its scores, under
the schema `marble_eval/results/schemas/result.schema.json`; `predictions.parquet` beside
it holds what each item got, so that any metric can be computed anew without a
model. Scores are stored as the metric gives them, accuracy as a share in [0, 1].
"""

from marble_eval.results.caveats import (
    Deviation,
    Divergence,
    LayerLeftOut,
    Notes,
    OtherDeviation,
    RuleChanged,
    TracksLeftOut,
    deviation_sentences,
    divergence_sentences,
)
from marble_eval.results.folder import (
    Found,
    find_results,
    read_predictions,
    read_result,
    result_folder,
    results_below,
    write_result,
)
from marble_eval.results.predictions import check_predictions, output_columns
from marble_eval.results.record import (
    SCHEMA_VERSION,
    Choices,
    Chosen,
    Cost,
    Counts,
    EncoderRecord,
    Environment,
    FeatureRecord,
    GridPoint,
    LabelScore,
    LayerScore,
    MetricScore,
    Missing,
    PredictionFile,
    ProbeRecord,
    ProtocolRecord,
    Result,
    ScoreRange,
    TaskRecord,
)

__all__ = [
    "SCHEMA_VERSION",
    "Choices",
    "Chosen",
    "Cost",
    "Counts",
    "Deviation",
    "Divergence",
    "EncoderRecord",
    "Environment",
    "FeatureRecord",
    "Found",
    "GridPoint",
    "LabelScore",
    "LayerLeftOut",
    "LayerScore",
    "MetricScore",
    "Missing",
    "Notes",
    "OtherDeviation",
    "PredictionFile",
    "ProbeRecord",
    "ProtocolRecord",
    "Result",
    "RuleChanged",
    "ScoreRange",
    "TaskRecord",
    "TracksLeftOut",
    "check_predictions",
    "deviation_sentences",
    "divergence_sentences",
    "find_results",
    "output_columns",
    "read_predictions",
    "read_result",
    "result_folder",
    "results_below",
    "write_result",
]
