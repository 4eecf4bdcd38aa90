"""ConversionReviews: what a conversion webhook is asked, and what its answer must be. Pure.

Source of the rules and words: k8s.io/apiextensions-apiserver pkg/apiserver/conversion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.resources.objects import Object, meta
from orchestrator.resources.strategies._metadata import annotation_problems, label_problems

GROUP: Final = "apiextensions.k8s.io"
_KNOWN: Final = ("v1", "v1beta1")


class ReviewError(Exception):
    """A review that can't be asked, or an answer that can't be used; the text is upstream's."""


def conversion_review(
    objects: Sequence[Object], api_version: str, uid: str, versions: Sequence[str]
) -> Object:
    """Return the question.

    Args:
        objects: To be converted.
        api_version: They should be in.
        uid: Of this review.
        versions: ``conversionReviewVersions``: the first that is known here is used.

    Raises:
        ReviewError: None of them is.
    """
    version = next((one for one in versions if one in _KNOWN), None)
    if version is None:
        raise ReviewError("no supported conversion review versions")
    return {
        "kind": "ConversionReview",
        "apiVersion": f"{GROUP}/{version}",
        "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
    }


def converted_objects(asked: Object, answer: Any, objects: Sequence[Object]) -> list[Object]:
    """Return the objects of an answer, in order, with the metadata that may not change.

    Args:
        asked: From `conversion_review`.
        answer: Parsed JSON.
        objects: That were sent.

    Raises:
        ReviewError: The webhook failed, or answered something else than it was asked.
    """
    first = objects[0]
    group, _, version = str(first["apiVersion"]).rpartition("/")
    called = f"conversion webhook for {group}/{version}, Kind={first['kind']}"
    try:
        found = _response(asked, answer)
    except ReviewError as error:
        raise ReviewError(f"{called} failed: {error}") from None
    if len(found) != len(objects):
        raise ReviewError(f"{called} returned {len(found)} objects, expected {len(objects)}")
    wanted = asked["request"]["desiredAPIVersion"]
    return [
        _checked(old, new, wanted, called, index)
        for index, (old, new) in enumerate(zip(objects, found, strict=True))
    ]


def _response(asked: Object, answer: Any) -> list[Any]:
    if not isinstance(answer, dict):
        raise ReviewError("no response provided")
    strict = asked["apiVersion"] == f"{GROUP}/v1"
    called = answer.get("apiVersion"), answer.get("kind")
    if strict and called != (asked["apiVersion"], "ConversionReview"):
        raise ReviewError(
            f"expected webhook response of {GROUP}/v1, Kind=ConversionReview, got "
            f"{called[0] or ''}, Kind={called[1] or ''}"
        )
    response = answer.get("response")
    if not isinstance(response, dict):
        raise ReviewError("no response provided")
    uid = asked["request"]["uid"]
    if strict and response.get("uid") != uid:
        raise ReviewError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        said = result.get("message")
        status = result.get("status") or ""
        raise ReviewError(said or f"response.result.status was '{status}', not 'Success'")
    found = response.get("convertedObjects") or []
    if not isinstance(found, list):
        raise ReviewError("no response provided")
    return found


def _checked(old: Object, new: Any, wanted: str, called: str, index: int) -> Object:
    """Return one converted object, if it is still the same one."""
    where = f"{called} returned invalid converted object at index {index}"
    if not isinstance(new, dict):
        raise ReviewError(f"{where}: invalid type, expected=Unstructured, got={new!r}")
    given = str(new.get("apiVersion") or "")
    if given != wanted:
        raise ReviewError(f"{where}: invalid groupVersion (expected {wanted}, received {given})")
    if new.get("kind") != old["kind"]:
        raise ReviewError(
            f"{where}: invalid kind (expected {old['kind']}, received {new.get('kind') or ''})"
        )
    after = new.get("metadata")
    if not isinstance(after, dict):
        raise ReviewError(
            f"{called} returned invalid metadata in object at index {index}: missing metadata in "
            "converted object"
        )
    before = meta(old)
    for field, said in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if (before.get(field) or "") != (after.get(field) or ""):
            raise ReviewError(
                f"{where}: must have the same {said}: {before.get(field) or ''} != "
                f"{after.get(field) or ''}"
            )
    rest = {
        part: value for part, value in new.items() if part not in {"apiVersion", "kind", "metadata"}
    }
    inside = f"{called} returned invalid metadata in object at index {index}"
    metadata = _metadata(before, after, inside)
    return {"apiVersion": wanted, "kind": old["kind"], "metadata": metadata, **rest}


def _metadata(before: dict[str, Any], after: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the old metadata with the labels and annotations of the new."""
    kept = {
        field: value for field, value in before.items() if field not in {"labels", "annotations"}
    }
    for field, check in (("labels", label_problems), ("annotations", annotation_problems)):
        given = after.get(field)
        if given is None:
            continue
        if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
            raise ReviewError(f"{where}: invalid metadata.{field} in converted object")
        if given != before.get(field) and (problems := check(f"metadata.{field}", given)):
            raise ReviewError(f"{where}: {problems[0]}")
        kept[field] = given
    return kept
