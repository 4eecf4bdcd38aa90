"""Lists in a strategic merge: identity of items and the order of a merged list."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.errors import bad_request
from orchestrator.resources.patches._printing import printed
from orchestrator.resources.patches.errors import PatchRejectedError


def identity(value: Any) -> Any:
    """Return a hashable stand-in for a JSON scalar: ``True``, ``1`` and ``"1"`` all differ.

    Maps and lists, which have no business as keys, are told apart by their text.
    """
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict | list):
        return ("text", repr(value))
    return value


def key_of(item: Any, key: str) -> Any:
    """Return the merge key's value of a list item.

    Raises:
        StatusError: 400 when the item has none.
    """
    if not isinstance(item, dict) or key not in item:
        raise bad_request(f"map: {printed(item)} does not contain declared merge key: {key}")
    return item[key]


def are_maps(*lists: list[Any]) -> bool:
    """Tell whether the items of all lists are maps rather than scalars.

    Raises:
        PatchRejectedError: An item is a list.
        StatusError: 400 when maps and scalars are mixed.
    """
    found = set()
    for items in lists:
        for item in items:
            if isinstance(item, list):
                raise PatchRejectedError("lists of lists are not supported")
            found.add(isinstance(item, dict))
    if len(found) > 1:
        raise bad_request("list element types are not identical")
    return True in found


def without_duplicates(items: list[Any]) -> list[Any]:
    """Return scalars once each, in order of first appearance."""
    return list({identity(item): item for item in reversed(items)}.values())[::-1]


def positions(items: list[Any], key: str) -> dict[Any, int]:
    """Return where each merge key stands first; items without the key stand nowhere."""
    found: dict[Any, int] = {}
    for index, item in enumerate(items):
        if key in item:
            found.setdefault(identity(item[key]), index)
    return found


def in_order(items: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """Order a merged list: what the patch names as it has it, the rest as the server had it.

    An item only the server knows goes before the next one the patch names if it stood before it
    on the server, else after it.

    Args:
        items: The merged list.
        order: The patch's list, or its ``$setElementOrder``.
        server: The list before the patch.
        key: Merge key; empty for scalars.
    """

    def identify(item: Any) -> Any:
        return identity(item.get(key) if key and isinstance(item, dict) else item)

    wanted = {identify(item): index for index, item in reversed(list(enumerate(order)))}
    stood = {identify(item): index for index, item in reversed(list(enumerate(server)))}
    named = sorted(
        (item for item in items if identify(item) in wanted),
        key=lambda item: wanted[identify(item)],
    )
    others = sorted(
        (item for item in items if identify(item) not in wanted),
        key=lambda item: stood.get(identify(item), len(server)),
    )
    result: list[Any] = []
    left, right = 0, 0
    while left < len(others) and right < len(named):
        before = stood.get(identify(others[left]))
        after = stood.get(identify(named[right]))
        if before is not None and after is not None and before < after:
            result.append(others[left])
            left += 1
        else:
            result.append(named[right])
            right += 1
    return result + others[left:] + named[right:]
