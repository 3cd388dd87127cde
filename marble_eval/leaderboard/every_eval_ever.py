"""Results as records of Every Eval Ever, a shared schema of evaluation results.

Source: https://github.com/evaleval/every_eval_ever, `eval.schema.json` 0.3.0 (package
every-eval-ever 0.3.0). A record holds one result, in the folders that its data store asks
for. What a result file does not say, who ran it and who made the model, is "unspecified";
what papers report is not written, since the papers' own records are the place for it.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.errors import ValidationError
from marble_eval.files.atomic_file import write_atomically
from marble_eval.leaderboard.score_rows import choices_of, flag_text

if TYPE_CHECKING:
    from marble_eval.results import Found, MetricScore, Result

SCHEMA_VERSION = "0.3.0"
COLLECTION = "marble-eval"
_UNSPECIFIED = "unspecified"
_UNITS = {"percent": "proportion", "dB": "dB", "1": "1"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
# Names that the data store, or Windows, has another use for.
_RESERVED = re.compile(r"(data|con|prn|aux|nul|com\d|lpt\d|unknown)?(\..*)?", re.IGNORECASE)


def record_of(result: Result) -> dict[str, Any]:
    """Make the record of a result."""
    seconds = f"{datetime.fromisoformat(result.created).timestamp():.0f}"
    model = model_id(result.encoder.name)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{COLLECTION}/{model}/{seconds}/{result.unit}",
        "evaluation_timestamp": seconds,
        "retrieved_timestamp": seconds,
        "source_metadata": {
            "source_name": "marble-eval result file",
            "source_type": "evaluation_run",
            "source_organization_name": _UNSPECIFIED,
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "marble-eval",
            "version": result.tool_version,
            "additional_details": dict(result.environment.packages),
        },
        "model_info": _model(result, model),
        "evaluation_results": [
            _score(result, name, score) for name, score in result.metrics.items()
        ],
    }


def write_records(results: Iterable[Found], folder: Path) -> list[Path]:
    """Write the records of results."""
    written = []
    for path, result in results:
        try:
            record = record_of(result)
        except ValueError:
            raise ValidationError(
                f"{path}: 'created' must be a time in ISO 8601. Got {result.created!r}. "
                f"Take the file from its source."
            ) from None
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        beside = folder / "data" / COLLECTION / record["model_info"]["id"]
        beside.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        name = uuid.UUID(bytes=digest[:16], version=4)
        write_atomically(beside / f"{name}.json", text.encode("utf-8"))
        written.append(beside / f"{name}.json")
    return written


def model_id(encoder: str) -> str:
    """Name a model as the data store does."""
    developer, slash, model = encoder.partition("/")
    if not slash:
        developer, model = _UNSPECIFIED, encoder
    return f"{_safe(developer)}/{_safe(model)}"


def _safe(name: str) -> str:
    safe = _UNSAFE.sub("-", name).rstrip(".")
    return f"model-{safe}" if _RESERVED.fullmatch(safe) else safe


def _model(result: Result, model: str) -> dict[str, Any]:
    encoder = result.encoder
    details = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "revision": encoder.revision,
        "fingerprint": encoder.fingerprint,
        "licence": encoder.licence,
        "parameters": encoder.parameters,
        "precision": encoder.precision,
        "trained_on": encoder.trained_on,
        "overlap_with_task_data": encoder.overlap,
        "citation": encoder.citation,
        "step": encoder.step,
        "remote_code": encoder.remote_code,
    }
    return {
        "name": encoder.name,
        "id": model,
        "developer": model.partition("/")[0],
        "inference_engine": {"name": "marble-eval", "version": result.tool_version},
        "additional_details": _texts(details),
    }


def _score(result: Result, name: str, score: MetricScore) -> dict[str, Any]:
    task, unit = result.task, score.unit
    low, high = _bounds(name, unit)
    data = {
        "task_version": task.version,
        "data_digest": task.data_digest,
        "split_digest": task.split_digest,
        "licence": task.licence,
        "embedded": flag_text(task.embedded),
        "items_scored": result.counts.scored,
        "items_expected": result.counts.expected,
        **{f"{split}_items": size for split, size in task.sizes.items()},
    }
    return {
        "evaluation_result_id": f"{result.unit}/{name}",
        "evaluation_name": task.name,
        "source_data": {
            "dataset_name": task.name,
            "source_type": "other",
            "additional_details": _texts(data),
        },
        "metric_config": {
            "evaluation_description": f"{name} of a probe on frozen features, test split",
            "metric_id": name,
            "metric_name": name,
            "metric_unit": _UNITS[unit],
            "lower_is_better": not score.higher_is_better,
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": {
            "score": score.value,
            "details": {
                "seed_values": " ".join(f"{each:.6g}" for each in score.seed_values),
                **_spread(score),
            },
            "uncertainty": {
                "confidence_interval": {
                    "lower": score.low,
                    "upper": score.high,
                    "confidence_level": score.level,
                    "method": "percentile bootstrap over test items, by group",
                },
                "num_samples": score.n,
            },
        },
        "generation_config": {"additional_details": _texts(_rules(result))},
    }


def _spread(score: MetricScore) -> dict[str, str]:
    """Give the spread over seeds, which one seed alone has not."""
    if len(score.seed_values) < 2:
        return {}
    return {"seed_standard_deviation": f"{score.seed_spread:.6g}"}


def _rules(result: Result) -> Mapping[str, object]:
    """Say under which rules a score came about."""
    protocol, chosen = result.protocol, result.chosen
    return {
        "protocol": protocol.name,
        "protocol_version": protocol.version,
        "track": protocol.track,
        "conforms": flag_text(protocol.conforms),
        "deviations": "; ".join(protocol.deviation_sentences),
        "probe": result.probe.name,
        "tried": choices_of(result),
        "chosen_layer": chosen.layer,
        "chosen_setting": chosen.setting,
        "selected_on": "valid",
        "remarks": "; ".join(result.notes),
        "device": result.environment.device,
    }


def _bounds(metric: str, unit: str) -> tuple[float | str, float | str]:
    if unit != "percent":
        return "-Infinity", "Infinity"
    return ("-Infinity" if metric.startswith("r2") else 0), 1


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Give values as text, as the schema asks, without empty ones."""
    return {name: str(value) for name, value in values.items() if value not in (None, "")}
