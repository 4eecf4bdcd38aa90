"""Kubernetes' protobuf encoding of the built-in kinds, both ways.

client-go based programs send it and ask for it; kubectl from 1.32 on creates objects this way and
has no fallback. Nothing is read or compiled before a client uses it.
"""

from orchestrator.api.protobuf.encoding import sharing_encoder
from orchestrator.api.protobuf.envelope import (
    MEDIA_TYPE,
    decode_object,
    encode_list,
    encode_message,
    encode_object,
    enveloped,
    watch_frame,
)
from orchestrator.api.protobuf.tables import message_of
from orchestrator.api.protobuf.wire import ProtobufError

__all__ = [
    "MEDIA_TYPE",
    "ProtobufError",
    "decode_object",
    "encode_list",
    "encode_message",
    "encode_object",
    "enveloped",
    "message_of",
    "sharing_encoder",
    "watch_frame",
]
