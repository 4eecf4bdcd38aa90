"""SPDY/3.1, as far as kubectl speaks it: inside a WebSocket, or in place of HTTP."""
