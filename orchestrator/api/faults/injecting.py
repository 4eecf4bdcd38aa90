"""The point in every request's way at which faults act: after the gate, before the API."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._attributes import attributes_of
from orchestrator.api._deadlines import Deadlines
from orchestrator.api._negotiation import PLAIN
from orchestrator.api._requests import APPLY_PATCH, BODY_LIMIT, Receive, Request, Scope, Send
from orchestrator.api._responses import ABORT, RESET, error_response
from orchestrator.api._sending import send_whole
from orchestrator.resources.errors import StatusError

if TYPE_CHECKING:
    from actors import Clock
    from orchestrator.api.faults.rules import ApiFault, ApiRequest
    from orchestrator.api.faults.watches import Pause, WatchLine
from orchestrator.api.gate import is_open_ended

GONE: Final = 410
"""The code that a watch is told in its stream, as an event."""
_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")

Forward = Callable[[Scope, Receive, Send], Awaitable[None]]


class ApiFaults:
    """The faults in force, and the watches that they may strike.

    Attributes:
        active: In the order in which they act.
        identify: Tells who asks.
    """

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        *,
        identify: Callable[[Scope], str],
        pause: Pause,
        internal: str,
    ) -> None:
        """Begin with none.

        Args:
            clock: The cluster's.
            chance: For probabilities and latencies.
            identify: Tells who asks.
            pause: Waits in the cluster's time, for clients inside.
            internal: Key of the scopes of clients inside.
        """
        self.active: tuple[ApiFault, ...] = ()
        self._clock = clock
        self._chance = chance
        self.identify = identify
        self._pause = pause
        self._internal = internal
        self._lines: dict[WatchLine, None] = {}
        self._patience = Deadlines(60.0)

    def switch(self, fault: ApiFault, on: bool) -> None:
        """Put a fault into force, or take it out of force. Both may be done again."""
        if on == (fault in self.active):
            return
        if on:
            self.active = (*self.active, fault)
            if _strikes_open_watches(fault):
                for line in tuple(self._lines):
                    if fault.strikes(line.request, self._chance):
                        line.strike(fault)
        else:
            self.active = tuple(one for one in self.active if one is not fault)
            for line in tuple(self._lines):
                line.release(fault)

    def cut_watches(self) -> None:
        """Cut all watches, as at the end of the server that they come from."""
        for line in tuple(self._lines):
            line.end(None)

    def close(self) -> None:
        """Cut the watches that are held back: the end of the server does not wait for them."""
        for line in tuple(self._lines):
            if line.is_held_back:
                line.end(None)

    # -- requests

    async def serve(self, scope: Scope, receive: Receive, send: Send, forward: Forward) -> None:
        """Answer a request in whatever way the active faults want."""
        if scope["type"] == "websocket":
            from orchestrator.api._websockets import serve_websocket

            http = partial(self._serve, forward=forward)
            await serve_websocket(http, scope, receive, send)
        else:
            await self._serve(scope, receive, send, forward)

    async def watch(self, scope: Scope, receive: Receive, send: Send, forward: Forward) -> None:
        """Answer a watch, which the faults that come may strike too."""
        from orchestrator.api.faults.watches import WatchLine

        line = WatchLine(partial(self._head, scope), scope, send, self._clock)
        # Known from now on: what strikes it may stop while something else delays it.
        self._lines[line] = None
        try:
            if not self.active or await self._strike(
                line.request, scope, receive, send, forward, line
            ):
                await line.run(forward, receive, reset)
        finally:
            del self._lines[line]
            await line.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, forward: Forward) -> None:
        request, receive = await self._read(scope, receive)
        if await self._strike(request, scope, receive, send, forward, None):
            await forward(scope, receive, send)

    async def _strike(
        self,
        request: ApiRequest,
        scope: Scope,
        receive: Receive,
        send: Send,
        forward: Forward,
        line: WatchLine | None,
    ) -> bool:
        """Let the faults act; False: one of them has answered."""
        for fault in self.active:
            effect = fault.effect
            if fault not in self.active:  # stopped while one before it delayed the request
                continue
            if (effect.is_of_watches and line is None) or not fault.strikes(request, self._chance):
                continue
            if effect.latency[1]:
                await self._delay(request, effect.latency)
            if line is not None and _acts_on_line(fault, request):
                if fault in self.active:
                    line.strike(fault)
            elif effect.loss == "reset":
                await reset(scope, receive)
                return False
            elif effect.loss is not None:
                # What goes on until its client leaves writes nothing, and has no answer to lose.
                if not is_open_ended(scope) or request.subresource == "proxy":
                    await forward(scope, receive, _unheard)
                if effect.loss == "reset-after-write":
                    await reset(scope, receive)
                else:
                    from orchestrator.api.faults.refusals import timeout

                    await self._refuse(scope, receive, send, timeout(request))
                return False
            elif effect.refusal is not None:
                await self._refuse(scope, receive, send, effect.refusal(request))
                return False
        return True

    async def _delay(self, request: ApiRequest, latency: tuple[float, float]) -> None:
        low, high = latency
        seconds = low if low == high else self._chance.uniform(low, high)
        if request.inside:
            await self._pause(seconds)
        else:
            with self._clock.held():
                await asyncio.sleep(seconds)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: StatusError) -> None:
        request = Request(scope, receive, self._patience)
        try:
            accepted = request.accepted
        except StatusError:
            accepted = PLAIN
        await send_whole(request, error_response(error, accepted), send)

    # -- what faults look at

    def _head(self, scope: Scope, body: dict[str, Any] | None = None) -> ApiRequest:
        from orchestrator.api.faults.rules import ApiRequest

        request = Request(scope, _nothing, self._patience)
        asked = attributes_of(request)
        applies = asked.verb == "patch" and request.content_type == APPLY_PATCH
        metadata = (body or {}).get("metadata")
        named = metadata if isinstance(metadata, dict) else {}
        who = any(
            fault.matching.looks_at_user or fault.effect.refusal is not None
            for fault in self.active
        )
        return ApiRequest(
            verb="apply" if applies else asked.verb,
            group=asked.group,
            resource=asked.resource,
            subresource=asked.subresource,
            namespace=asked.namespace,
            name=asked.name or str(named.get("name") or named.get("generateName") or ""),
            path=asked.path or request.path,
            user=self.identify(scope) if who else "",
            user_agent=request.headers.get(b"user-agent", b"").decode("latin-1"),
            body=body,
            inside=bool(scope.get(self._internal)),
        )

    async def _read(self, scope: Scope, receive: Receive) -> tuple[ApiRequest, Receive]:
        """Return what is asked, and what gives the API the body again that was read for it."""
        reads = scope["method"] in _WRITES and any(
            fault.matching.looks_at_body or fault.effect.refusal is not None
            for fault in self.active
        )
        if not reads:
            return self._head(scope), receive
        messages = [message async for message in _arriving(receive)]
        data = b"".join(message.get("body", b"") for message in messages)
        body = None
        content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        if data:
            from orchestrator.api._bodies import parse_object

            try:
                body = parse_object(data, _type_of(content_type), "object")
            except StatusError:
                body = None  # the API will say what is wrong with it
        return self._head(scope, body), _again(messages, receive)


class Down:
    """Stands where there is no API server: each connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse one request (the ASGI interface)."""
        del send
        await reset(scope, receive)

    def close(self) -> None:
        """Have nothing to end."""


async def reset(scope: Scope, receive: Receive) -> None:
    """Have a request's connection break.

    Raises:
        ConnectionResetError: There is none: the client is in this program.
    """
    extensions = scope.get("extensions") or {}
    break_off = extensions.get(RESET) or extensions.get(ABORT)
    if break_off is None:
        raise ConnectionResetError("Connection reset by peer: a fault was injected")
    break_off()
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


def _strikes_open_watches(fault: ApiFault) -> bool:
    effect = fault.effect
    return effect.is_of_watches or ("watch" in fault.matching.verbs and _is_gone(fault))


def _acts_on_line(fault: ApiFault, request: ApiRequest) -> bool:
    if fault.effect.is_of_watches:
        return True
    refusal = fault.effect.refusal
    return refusal is not None and refusal(request).code == GONE


def _is_gone(fault: ApiFault) -> bool:
    from orchestrator.api.faults.rules import ApiRequest

    refusal = fault.effect.refusal
    return refusal is not None and refusal(ApiRequest(verb="watch")).code == GONE


def _type_of(content_type: str) -> str:
    """Return a media type that can be parsed: patches are JSON or, to apply, YAML."""
    plain = content_type.partition(";")[0].strip().lower()
    if plain.endswith("+json"):
        return "application/json"
    return "application/yaml" if plain.endswith("yaml") else plain


async def _arriving(receive: Receive) -> AsyncIterator[Any]:
    size = 0
    while True:
        message = await receive()
        yield message
        size += len(message.get("body", b""))
        if not message.get("more_body") or size > BODY_LIMIT:
            return


def _again(messages: Sequence[Any], receive: Receive) -> Receive:
    rest: Iterator[Any] = iter(messages)

    async def replay() -> Any:
        for message in rest:
            return message
        return await receive()

    return replay


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def _unheard(message: Any) -> None:
    """Lose a part of an answer."""
