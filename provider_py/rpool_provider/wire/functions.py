"""The provider's functions as protobuf messages, and their calls."""

from __future__ import annotations

import json
from typing import Any

from rpool.errors import Bug, SpecError, as_rpool_error
from rpool_provider.functions import FUNCTIONS, Function
from rpool_provider.schema import Dynamic
from rpool_provider.wire import dynamic, schemas, values
from rpool_provider.wire.gen import tfplugin6_pb2 as pb


def encode(function: Function) -> pb.Function:
    message = pb.Function(
        parameters=[pb.Function.Parameter(name=function.parameter, type=_type(function.takes))],
        summary=function.summary,
        description=function.description,
        description_kind=pb.MARKDOWN,
    )
    getattr(message, "return").type = _type(function.returns)  # `return` is a keyword of Python
    return message


def answer(request: pb.CallFunction.Request, context: Any) -> pb.CallFunction.Response:
    """The result of a call, or an error about its argument."""
    response = pb.CallFunction.Response()
    try:
        response.result.msgpack = _result(request)
    except Exception as error:
        response.error.text = _error_text(error)
        response.error.function_argument = 0
    return response


def _result(request: pb.CallFunction.Request) -> bytes:
    function = FUNCTIONS.get(request.name)
    if function is None:
        raise Bug(f"Terraform asked for function {request.name}, which this provider does not have")
    result = function.call(values.decode(function.takes, request.arguments[0].msgpack))
    if isinstance(function.returns, Dynamic):
        return dynamic.encode(result)
    return values.encode(function.returns, result)


def _error_text(error: Exception) -> str:
    if isinstance(error, SpecError):
        texts = (f"{problem.summary}\n{problem.detail}".strip() for problem in error.problems)
        return "\n".join(texts)
    return str(as_rpool_error(error, "calling the function"))


def _type(type_: Any) -> bytes:
    return json.dumps(schemas.cty_type(type_)).encode()
