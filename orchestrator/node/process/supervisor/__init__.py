"""The supervisor: one small process per data directory that owns containers' pipes and ends.

It runs without site-packages and outside the daemon's session, so that ``kill -9`` of the daemon
leaves containers, their logs and their exit codes alone. Its modules import the standard library
and, relatively, each other: started as a script they are not part of the ``orchestrator``
package, whose imports would multiply its memory.
"""
