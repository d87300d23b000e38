"""The shapes of BigCommerce's answers: V2 lists, V3 envelopes and both kinds of errors; and reading of queries."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Row = dict[str, Any]

STATUS_CODES_PAGE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
MAX_LIMIT_V2 = 250


class Problem(Exception):
    """An error answer; its shape follows the version in the path."""

    def __init__(self, status: int, title: str, errors: Row | None = None) -> None:
        self.status = status
        self.title = title
        self.errors = errors or {}
        super().__init__(title)


def error(path: str, status: int, title: str, errors: Row | None = None) -> Response:
    if "/v2/" in path:
        return JSONResponse([{"status": status, "message": title}], status_code=status)
    content = {"status": status, "title": title, "type": STATUS_CODES_PAGE, "errors": errors or {}}
    return JSONResponse(content, status_code=status, media_type="application/problem+json")


async def problem_answer(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, Problem):
        raise fault
    return error(request.url.path, fault.status, fault.title, fault.errors)


async def wrong_path(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, HTTPException):
        raise fault
    return error(request.url.path, fault.status_code, "The requested resource was not found.")


async def content_of(request: Request) -> Row:
    try:
        content = json.loads(await request.body())
    except ValueError:
        raise Problem(400, "Input is invalid JSON") from None
    if not isinstance(content, dict):
        raise Problem(422, "The request body must be an object")
    return content


def number(request: Request, name: str, default: int, least: int = 1) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < least:
        raise Problem(422 if "/v3/" in request.url.path else 400, f"The field '{name}' is invalid.")
    return int(text)


def listed(request: Request, name: str) -> list[int] | None:
    """The numbers of a ``name:in`` filter; None when it was not given."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise Problem(422, f"The filter '{name}' is invalid.") from None


def only_filters(request: Request, known: Sequence[str]) -> None:
    """V3 refuses filters that it does not know."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise Problem(422, f"The filter(s): {', '.join(unknown)} are not valid filter parameter(s).")


def v2_page(request: Request, rows: Sequence[Any]) -> Sequence[Any]:
    limit = number(request, "limit", 50)
    if limit > MAX_LIMIT_V2:
        raise Problem(413, f"The limit must not be larger than {MAX_LIMIT_V2}")
    start = (number(request, "page", 1) - 1) * limit
    return rows[start : start + limit]


def v2_list(rows: Sequence[Row]) -> Response:
    return JSONResponse(list(rows)) if rows else Response(status_code=204)


def v3_page(request: Request, things: Sequence[Any], default: int, most: int) -> tuple[Sequence[Any], Row]:
    """The things of the page asked for, and the answer's ``meta``."""
    limit, page = number(request, "limit", default), number(request, "page", 1)
    if limit > most:
        raise Problem(413, f"The limit must not be larger than {most}")
    found = things[(page - 1) * limit : page * limit]
    pages = max(-(-len(things) // limit), 1)
    links = {"current": f"?page={page}&limit={limit}"}
    if page > 1:
        links["previous"] = f"?page={page - 1}&limit={limit}"
    if page < pages:
        links["next"] = f"?page={page + 1}&limit={limit}"
    pagination = {
        "total": len(things),
        "count": len(found),
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }
    return found, {"pagination": pagination}


def v3(data: object, meta: Row | None = None) -> Response:
    return JSONResponse({"data": data, "meta": meta or {}})
