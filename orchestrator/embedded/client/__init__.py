"""The client in the same program, and what carries its requests: no socket."""
