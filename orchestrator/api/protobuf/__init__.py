"""Kubernetes' protobuf encoding of request bodies, which newer client-go based programs send.

kubectl from 1.32 on creates objects of built-in kinds this way and has no fallback. Answers stay
JSON, which every such client also accepts.
"""

from orchestrator.api.protobuf.decoding import MEDIA_TYPE, ProtobufError, decode_object

__all__ = ["MEDIA_TYPE", "ProtobufError", "decode_object"]
