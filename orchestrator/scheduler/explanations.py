"""Pods that ask to be told why they went where they went: an annotation for an annotation."""

from __future__ import annotations

from typing import Final

import orjson

from orchestrator.resources.objects import Object, annotations_of
from orchestrator.scheduler.core.explaining import Explanation

ASK: Final = "scheduler.orchestrator/explain"
"""On a pod, with the value ``true``: its next attempt is explained."""

ANSWER: Final = "scheduler.orchestrator/explanation"
"""What the last attempt came to, as JSON of `Explanation`."""

NODES_TOLD: Final = 50
"""An object has room for 256 KiB of annotations in all; a node takes about 1 KiB."""


def asks(pod: Object) -> bool:
    """Tell whether a pod asks for an explanation."""
    annotations = pod["metadata"].get("annotations")
    return bool(annotations) and annotations.get(ASK) == "true"


def answer_of(explanation: Explanation) -> str:
    """Return the annotation's value."""
    return orjson.dumps(explanation.as_json(NODES_TOLD)).decode()


def annotate(answer: str, pod: Object) -> Object | None:
    """Return a pod with its explanation; None when it has it."""
    metadata = pod["metadata"]
    if annotations_of(pod).get(ANSWER) == answer:
        return None
    annotations = {**annotations_of(pod), ANSWER: answer}
    return {**pod, "metadata": {**metadata, "annotations": annotations}}
