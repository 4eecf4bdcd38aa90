"""From plans to operations of the store."""

from __future__ import annotations

from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import Object, uid_of
from orchestrator.store import Create, Delete, DeleteOptions, Modify, Operation

_BOOKKEEPING = frozenset({"resourceVersion", "managedFields", "generation"})


class Rebase:
    """The change of an `Update`: its new state, put on top of what the object has become.

    Unless the update is strict, a status goes onto any state of the same object, since it has one
    writer; the rest only where nothing but the status changed since the decision.
    """

    __slots__ = ("dropped", "update")

    def __init__(self, update: Update) -> None:
        self.update = update
        self.dropped = False

    def __call__(self, current: Object) -> Object | None:
        """Return the new object, or None to leave the current one alone."""
        base, new = self.update.base, self.update.new
        self.dropped = False
        if current is base or _version(current) == _version(base):
            return new
        if not self.update.strict:
            if self.update.subresource == "status":
                return {**current, "status": new.get("status")}
            if _intent(current) == _intent(base):
                metadata = {**new["metadata"], "resourceVersion": _version(current)}
                rebased = {**new, "metadata": metadata}
                if "status" in current:
                    rebased["status"] = current["status"]
                return rebased
        self.dropped = True
        return None

    @staticmethod
    def was_dropped(operation: Operation) -> bool:
        """Tell whether an operation left its object alone because it had moved on."""
        return (
            isinstance(operation, Modify)
            and isinstance(operation.change, Rebase)
            and operation.change.dropped
        )


def _version(obj: Object) -> str:
    version: str = obj["metadata"].get("resourceVersion", "")
    return version


def _intent(obj: Object) -> tuple[Object, Object]:
    """Return an object without status and bookkeeping."""
    metadata = {
        field: value for field, value in obj["metadata"].items() if field not in _BOOKKEEPING
    }
    return metadata, {
        field: value for field, value in obj.items() if field not in {"metadata", "status"}
    }


def operations_of(plan: Plan) -> list[Operation]:
    """Return a plan's operations: creations, updates, deletions, each in the plan's order."""
    operations: list[Operation] = [Create(item.resource, item.object) for item in plan.create]
    for update in plan.update:
        metadata = update.base["metadata"]
        operations.append(
            Modify(
                update.resource,
                metadata.get("namespace", ""),
                metadata["name"],
                Rebase(update),
                update.subresource,
                uid_of(update.base),
            )
        )
    for item in plan.delete:
        metadata = item.object["metadata"]
        options = DeleteOptions(
            grace_period_seconds=item.grace,
            propagation_policy=item.policy,
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"] if item.current else None,
        )
        operations.append(
            Delete(item.resource, metadata.get("namespace", ""), metadata["name"], options)
        )
    return operations
