"""The ASGI application: routes of the table, the dashboard's files, one envelope for every error."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from functools import partial
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from qflowd.api.access.credentials import Credentials
from qflowd.api.access.csrf import check_host
from qflowd.api.access.headers import security_headers
from qflowd.api.access.rate import Rates
from qflowd.api.answers import ApiFault, AwaitedRow, Unanswered
from qflowd.api.call import Call, HttpRequest
from qflowd.api.http.answering import Sendable, Waiting, failed, finished, refuse_unread, respond
from qflowd.api.http.lingering_close import LingeringClose
from qflowd.api.http.requests import BasePath, check_headers, check_length, receive_body, request_of
from qflowd.api.http.slow_clients import send_part
from qflowd.api.http.static import NOT_PAGES, Pages
from qflowd.api.http.streaming import StreamResponse, until_gone
from qflowd.api.http.threads import HandlerThreads
from qflowd.api.inbox.waiting import FIRST_LOOK_S, LONGEST_LOOK_S, Waiter, find_answered
from qflowd.api.live.hub import Hub
from qflowd.api.live.stream import Live
from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from qflowd.config.records import ApiConfig
from qflowd.engine.access.callers import NOBODY, Caller
from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import Store

log = logging.getLogger("qflowd.api.access")
ALIVE: Final = "/healthz"
HEALTH: Final = (ALIVE, "/readyz")  # whoever asks: credentials are not looked at
STATEMENTS: Final = 4  # of a request, each of which may take `query_timeout`
UNKNOWN: Final = "what was to be written may be there or not: repeat it with its Idempotency-Key"


class Api:
    """What all requests share: the store, the configuration, and the threads in which handlers run."""

    def __init__(self, store: Store, config: ApiConfig) -> None:
        self.store, self.config = store, config
        self.threads = HandlerThreads(config.threads, "qflowd-api")
        self.longest_s = STATEMENTS * config.query_timeout + 1
        self.pages = Pages(config)
        self.hub = Hub()
        self.waiter = Waiter(self._find_answered)
        self.credentials = Credentials(store, config)
        self.rates = Rates(config)
        self.ending = asyncio.Event()  # of the server: who waits is answered what there is

    async def unless_ending(self, awaited: Coroutine[Any, Any, None]) -> None:
        """Wait for it, but no longer than until the server ends."""
        tasks = asyncio.create_task(awaited), asyncio.create_task(self.ending.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _find_answered(self, rows: Collection[AwaitedRow]) -> set[tuple[int, int]]:
        """As `find_answered`, in a thread."""
        return await self.in_thread(partial(find_answered, self.store, rows))  # type: ignore[no-any-return]

    def app(self, is_crowded: Callable[[], bool] = lambda: False) -> ASGIApp:
        """The application; its errors are enveloped as well. `is_crowded`: are there too many connections for another request?"""
        routes = [Route(endpoint.path, _Answers(self, endpoint), methods=[endpoint.method]) for endpoint in endpoints()]
        router = Router([*routes, Route("/{path:path}", self._page, methods=["GET"])])
        # Not `Starlette`, which loads pages of tracebacks; what nobody handles uvicorn logs and answers.
        app: ASGIApp = ExceptionMiddleware(router, {HTTPException: self._no_route})
        for wrap in (partial(BasePath, base_path=self.config.base_path), LingeringClose):
            app = wrap(app)
        return _Crowd(app, self, is_crowded)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """What a blocking function returns.

        Raises: StoreUnavailable if it takes longer than `longest_s`: a server that stands still breaks no connection,
        and its own limit to a statement does not work then. What waited for a thread is not begun any more.
        """
        future = asyncio.get_running_loop().run_in_executor(self.threads, work)
        try:
            if not (await asyncio.wait({future}, timeout=self.longest_s))[0]:
                raise Unanswered(f"the database has not answered for {self.longest_s:g} s; {UNKNOWN}")
            return future.result()
        finally:
            future.cancel()

    async def in_turn(self, who: str, work: Callable[[], Any]) -> Any:
        """As `in_thread`, as one of the few things that are at work for one caller."""
        async with self.rates.turn(who, is_patient=True):
            return await self.in_thread(work)

    def close(self) -> None:
        """End the hub, the threads, and their connections; these are broken if the database does not answer any more."""
        self.hub.close()
        severing = threading.Timer(self.config.query_timeout + 1, self.store.sever)
        severing.start()
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.hub.join(self.config.query_timeout + 2)
        severing.cancel()
        self.store.close()

    async def _page(self, request: Any) -> Response:
        received = request_of(request.scope, self.config)
        try:
            check_host(received, self.config)
            return await self.pages.respond(request)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            return _response(failed(Call(received, self.store, self.config), error))

    async def _no_route(self, request: Any, error: Exception) -> Response:
        received = request_of(request.scope, self.config)
        what = f"there is no route {received.method} {received.path[:200]}"
        # Every path is one of the page's, so below /api its methods say nothing.
        is_there = request.scope.get("endpoint") != self._page or not received.path.startswith(NOT_PAGES)
        if isinstance(error, HTTPException) and error.status_code == 405 and is_there:
            allowed = (error.headers or {}).get("Allow", "")
            fault = ApiFault(40501, f"{what}; the path has {allowed}", headers={"Allow": allowed})
        else:
            fault = ApiFault(40401, f"{what}; /api/v1/openapi.json lists those there are")
        return _response(failed(Call(received, self.store, self.config), fault))


class _Answers:
    """One route: an ASGI application."""

    def __init__(self, api: Api, endpoint: Endpoint) -> None:
        self._api, self._endpoint = api, endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        api, endpoint = self._api, self._endpoint
        answer = await self._answer(request_of(scope, api.config), dict(scope["path_params"]), receive)
        # Reads are the many, and one that succeeds tells an operator nothing.
        is_usual = answer.status < 400 and not endpoint.is_write
        log.log(
            logging.DEBUG if is_usual else logging.INFO,
            "%s %s %s %d %.0f ms",
            *(dict(answer.headers)["x-request-id"], answer.principal or "-", endpoint.name, answer.status),
            (time.monotonic() - began) * 1000,
        )
        await _response(answer, api)(scope, receive, send)

    async def _answer(self, request: HttpRequest, params: dict[str, str], receive: Receive) -> Sendable:
        api, endpoint = self._api, self._endpoint
        call = Call(
            request,
            api.store,
            api.config,
            check=partial(api.credentials.find, request, endpoint),
            forget_callers=api.credentials.forget,
            count_streams=api.hub.count_streams,
        )
        try:
            check_headers(request)
            check_host(request, api.config)
            call.caller = await self._caller(request)
            refuse_unread(endpoint, call)
            check_length(request, endpoint.largest_body)
            who = call.caller.principal or request.address
            async with api.rates.turn(who):
                if endpoint.body is not None:  # in its turn: of one caller, few bodies are in memory
                    request.body = await receive_body(receive, endpoint.largest_body)
                work = partial(respond, endpoint, call, params)
                # It asks nothing, so it is answered even while all threads wait for the database.
                found = work() if endpoint.path == ALIVE else await api.in_thread(work)
            return await self._waited(found, who) if isinstance(found, Waiting) else found
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            return failed(call, error)

    async def _waited(self, waiting: Waiting, who: str) -> Sendable:
        """What a waiting request is answered in the end; of a write that is there, at least that it is.

        Raises: StoreUnavailable.
        """
        try:
            return await self._looked_for(waiting, who)
        except StoreUnavailable:
            if waiting.wait.written is None:
                raise
            return finished(waiting.call, waiting.wait.written)

    async def _looked_for(self, waiting: Waiting, who: str) -> Sendable:
        """Only a look takes a turn: who waits has a connection, and nothing else."""
        api, wait = self._api, waiting.wait
        end, pause, row = time.monotonic() + wait.longest_s, FIRST_LOOK_S, wait.row
        with api.rates.waiting(who) as may_wait:
            if not may_wait:
                waiting.call.wait_s = end = 0.0
            while (left := end - time.monotonic()) > 0 and not api.ending.is_set():
                if row is not None:
                    await api.unless_ending(api.waiter.until_answered(row, left))
                if (answer := await api.in_turn(who, waiting.look)) is not None:
                    return answer  # type: ignore[no-any-return]
                if row is None:
                    await api.unless_ending(asyncio.sleep(max(0, min(pause, end - time.monotonic()))))
                    pause = min(2 * pause, LONGEST_LOOK_S)
                row = None  # it waits for more than the row
            return await api.in_turn(who, waiting.give_up)  # type: ignore[no-any-return]

    async def _caller(self, request: HttpRequest) -> Caller:
        """Who calls, if they may ask as much. Raises: ApiFault."""
        api, endpoint = self._api, self._endpoint
        if endpoint.path in HEALTH:
            return NOBODY
        caller = api.credentials.known(request)
        if caller is None:
            is_new = not api.credentials.was_good(request)
            if is_new:  # whoever tries tokens shall not keep the database busy
                api.rates.admit_unknown(request.address)
            find = partial(api.credentials.find, request, endpoint)
            caller = await api.in_thread(find) if api.credentials.are_given(request) else find()
            if is_new and caller.principal:
                api.rates.give_back(request.address)
        if caller.principal:
            api.rates.admit(caller.principal, is_write=endpoint.is_write)
        return caller


class _Crowd:
    """Refuses a request while there are too many connections, and closes its own. An ASGI middleware."""

    def __init__(self, app: ASGIApp, api: Api, is_crowded: Callable[[], bool]) -> None:
        self._app, self._api, self._is_crowded = app, api, is_crowded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # where there is an application, routes raise what they refuse
        if scope["path"].endswith(ALIVE) or not self._is_crowded():
            await self._app(scope, receive, send)
            return
        call = Call(request_of(scope, self._api.config), self._api.store, self._api.config)
        headers = {"Retry-After": "2", "Connection": "close"}
        fault = ApiFault(50304, "this server has too many connections; come again in a moment", headers=headers)
        await _response(failed(call, fault))(scope, receive, send)


class _Parts(Response):
    """An answer whose parts are read, in a thread, while they are sent."""

    def __init__(self, api: Api, parts: Iterator[str | bytes], answer: Sendable) -> None:
        super().__init__(status_code=answer.status)
        self._api, self._parts, self._who = api, parts, answer.principal
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone = asyncio.create_task(until_gone(receive))
        try:
            while scope["method"] != "HEAD" and not gone.done():
                if (part := await self._api.in_turn(self._who, partial(next, self._parts, None))) is None:
                    break
                if not await send_part(send, part.encode() if isinstance(part, str) else part, scope):
                    return
            await send_part(send, b"", scope, is_last=True)
        finally:
            gone.cancel()


def _response(answer: Sendable, api: Api | None = None) -> Response:
    if isinstance(answer.body, Live) and api is not None:
        response: Response = StreamResponse(answer.body, api.hub, api.in_thread)
    elif isinstance(answer.body, str | bytes) or api is None:
        response = Response(answer.body, status_code=answer.status)
    else:
        response = _Parts(api, answer.body, answer)
    for name, value in security_headers():
        response.headers[name] = value
    for name, value in answer.headers:
        if name == "set-cookie":
            response.headers.append(name, value)
        else:
            response.headers[name] = value
    return response
