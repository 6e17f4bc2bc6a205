"""The provider's functions in the protocol's words, and calls of them."""

from __future__ import annotations

import json
from typing import Any

from rpool.errors import Bug, SpecError, as_rpool_error
from rpool_provider.functions import FUNCTIONS, Function
from rpool_provider.schema import Dynamic
from rpool_provider.wire import dynamic, schemas, values
from rpool_provider.wire.gen import tfplugin6_pb2 as pb


def encode(its: Function) -> pb.Function:
    message = pb.Function(
        parameters=[pb.Function.Parameter(name=its.parameter, type=_type(its.takes))],
        summary=its.summary,
        description=its.description,
        description_kind=pb.MARKDOWN,
    )
    getattr(message, "return").type = _type(its.returns)  # a word of Python's
    return message


def answer(request: pb.CallFunction.Request, context: Any) -> pb.CallFunction.Response:
    """The result of a call, or an error at its argument."""
    response = pb.CallFunction.Response()
    try:
        response.result.msgpack = _result(request)
    except Exception as error:
        response.error.text = _said(error)
        response.error.function_argument = 0
    return response


def _result(request: pb.CallFunction.Request) -> bytes:
    its = FUNCTIONS.get(request.name)
    if its is None:
        raise Bug(f"Terraform asked for function {request.name}, which this provider does not have")
    found = its.call(values.decode(its.takes, request.arguments[0].msgpack))
    if isinstance(its.returns, Dynamic):
        return dynamic.encode(found)
    return values.encode(its.returns, found)


def _said(error: Exception) -> str:
    if isinstance(error, SpecError):
        said = (f"{its.summary}\n{its.detail}".strip() for its in error.problems)
        return "\n".join(said)
    return str(as_rpool_error(error, "calling the function"))


def _type(type_: Any) -> bytes:
    return json.dumps(schemas.cty_type(type_)).encode()
