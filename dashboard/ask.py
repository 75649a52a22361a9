"""POST /api/ask: what a page may ask of a collector, and questions built from clicks.

    {"do": "start", "question": ID, "hosts": ["ms2"], "interval": 1, "duration": 600}   -> {"request": ID}
    {"do": "keep", "request": ID}         somebody still looks                           -> {}
    {"do": "stop", "request": ID}                                                        -> {}
    {"do": "question", "question": ID, "by": [FIELD, …], "fix": [[FIELD, OP, VALUE], …]}     -> {"question", "sentence"}
    {"do": "program", "question": ID, "hosts": ["ms2"]}   -> {"programs": [{host, time, who, text}]}

`question` gives ID broken down anew `by` these fields, with values fixed as predicate; a value is checked
and quoted by `frames.questions`, and no text of a page reaches a host in another way. Answers are JSON; 400 says what
is wrong in {"error"}, 403 is given to what is no page of this server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboard.live import Live
from dashboard.panels.dtrace import asked, parts_of, together
from dashboard.push import same_origin
from frames.questions import OPS, Is, Question, QuestionError
from frames.requests import RequestError, Requests
from frames.schemas import to_pandas

MOST = 1 << 16
"""Bytes of a body."""
HOSTS = 64
MAX_INTERVAL, MAX_DURATION = 60, 3600


class AskError(ValueError):
    """A body that cannot be followed; the message is for the person at the page."""


def add_routes(server: FastAPI, live: Live, folder: Path) -> None:
    """Adds the route to `server`; requests go into `folder`."""

    async def answer(request: Request) -> Response:
        headers = request.headers
        if not same_origin(headers) or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return JSONResponse({"error": "another site may not ask"}, 403)
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return JSONResponse({"error": "the body must be application/json"}, 400)
        data = await request.body()
        who = f"page at {request.client.host}" if request.client else "page"
        try:
            if len(data) > MOST:
                raise AskError(f"a body is at most {MOST} bytes")
            body = json.loads(data)
            if not isinstance(body, dict):
                raise AskError("the body is no JSON object")
            return JSONResponse(await run_in_threadpool(follow, body, live, Requests(folder), who))
        except (AskError, QuestionError, RequestError) as e:
            return JSONResponse({"error": str(e)}, 400)
        except ValueError:
            return JSONResponse({"error": "the body is no JSON"}, 400)

    server.add_api_route("/api/ask", answer, methods=["POST"], include_in_schema=False, response_model=None)


def follow(body: Mapping[str, Any], live: Live, requests: Requests, who: str) -> dict[str, Any]:
    """Does what `body` says. Raises AskError, QuestionError or RequestError."""
    do = body.get("do")
    if do == "question":
        return build(body)
    if do == "program":
        return {"programs": programs(body, live)}
    if do == "start":
        return {"request": requests.ask("dtrace_start", start(body, live), who)}
    if do in ("keep", "stop"):
        found = requests.get(str(body.get("request", "")))
        if found is None or found.action != "dtrace_start":
            raise AskError("there is no such request")
        if found.state not in ("refused", "ended"):
            requests.ask("keep_alive" if do == "keep" else "dtrace_stop", {"request": found.id}, who)
        return {}
    raise AskError(f"cannot do {do!r}")


def start(body: Mapping[str, Any], live: Live) -> dict[str, Any]:
    """The checked body of a dtrace_start. Raises AskError and QuestionError."""
    question = asked(str(body.get("question", "")))
    hosts = body.get("hosts")
    if not isinstance(hosts, list) or not 0 < len(hosts) <= HOSTS:
        raise AskError(f"choose 1 to {HOSTS} hosts")
    unknown = [str(h) for h in hosts if not isinstance(h, str) or live.host(h) is None]
    if unknown:
        raise AskError(f"no host is called {unknown[0]}")
    interval, duration = body.get("interval", 1), body.get("duration", 600)
    if type(interval) is not int or not 1 <= interval <= MAX_INTERVAL:
        raise AskError(f"an interval is 1 to {MAX_INTERVAL} s")
    if type(duration) is not int or not interval <= duration <= MAX_DURATION:
        raise AskError(f"a duration is {interval} to {MAX_DURATION} s")
    return {"hosts": list(dict.fromkeys(hosts)), "question": question.id, "interval": interval, "duration": duration}


def programs(body: Mapping[str, Any], live: Live) -> list[dict[str, Any]]:
    """The newest D program of a question on each host that ever ran it. Raises QuestionError."""
    question = asked(str(body.get("question", "")))
    where = {"question": [question.id]}
    found = pd.concat(
        [
            live.store.window("dtrace_programs", 0, live.clock() + 60, where=where),
            to_pandas(live.rows("dtrace_programs", 0, live.clock() + 60, where)),
        ]
    )
    if isinstance(hosts := body.get("hosts"), list) and hosts:
        found = found[found["host"].isin([str(h) for h in hosts])]
    newest = found.sort_values("time").drop_duplicates("host", keep="last").sort_values("host")
    return [
        {"host": r["host"], "time": r["time"].timestamp(), "who": r["who"], "text": r["program"]}
        for r in newest.to_dict("records")
    ]


def build(body: Mapping[str, Any]) -> dict[str, Any]:
    """The id and sentence of a question changed by clicks. Raises AskError and QuestionError."""
    question = asked(str(body.get("question", ""))).question
    if question is None:
        raise AskError("a plain program has no fields")
    by = body.get("by", list(question.by))
    fix = body.get("fix", [])
    if not isinstance(by, list) or not isinstance(fix, list):
        raise AskError("by and fix are lists")
    fields = tuple(str(f) for f in by)
    parts = list(parts_of(question.where))
    for piece in fix:
        if not isinstance(piece, list) or len(piece) != 3 or piece[1] not in OPS:
            raise AskError("fix holds lists of a field, an operator and a value")
        field = question.metric.field(str(piece[0]))
        value: str | int = str(piece[2])
        if field.kind == "numeric" or field.type == "int":
            try:
                value = int(value)
            except ValueError:
                raise AskError(f"{field.name} is an integer, not {value!r}") from None
        parts.append(Is(field.name, piece[1], value))
    changed = Question(question.metric, fields, together(parts))
    return {"question": changed.id, "sentence": changed.sentence}
