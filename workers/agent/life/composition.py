"""Puts together the parts that serve one app. Nothing is started here."""

import functools
import time
from pathlib import Path

import aiohttp
import boto3
from websockets.asyncio.client import ClientConnection

from agent.activity import Activity
from agent.http import r_socket, server
from agent.http.asking import WorkerClient, worker_id_of
from agent.http.bodies import (
    Handover,
    KeptAnswers,
    LargeBodies,
    LateAnswers,
    LatePages,
    Objects,
    Uploads,
)
from agent.http.client_files import ClientFiles
from agent.http.page_requests import PageRequests
from agent.http.proxy import ForLambda, Proxy
from agent.http.session_pages import SessionPages
from agent.http.session_urls import SessionUrls
from agent.life.course import InstanceLife
from agent.life.crowd import Crowd
from agent.life.listeners import SessionEnds, WorkerChanges
from agent.life.logins import Logins
from agent.life.measuring import Measurements
from agent.life.orders import Orders, relay_settings
from agent.life.restart_file import RestartFile
from agent.life.seats import Seats
from agent.life.served import ServedApp
from agent.life.worker_maker import WorkerMaker
from agent.processes import app_folders
from agent.processes.app_folder import AppFolder
from agent.processes.in_place import InPlace
from agent.processes.starter import Starter
from agent.processes.worker_log import WorkerLogs
from agent.processes.worker_row import WorkerRow
from agent.processes.workers import Workers
from agent.record import InstanceRecord
from agent.sockets.carried import Ways
from agent.sockets.carriers import Carriers
from agent.sockets.gateway import Gateway
from agent.sockets.sessions import Sessions
from agent.sockets.sockjs import RelayApplication, SockJs
from agent.tickets import InstanceTickets
from chalicelib import layout
from chalicelib.aws.clients import client
from chalicelib.bodies.uploads import Wish
from chalicelib.configuration.deployment import Settings
from chalicelib.instances.secret import Purpose
from relay.errors import ConnectionLost
from relay.transports.options import SockJsOptions

POSTS = 64
"""Posts to browsers at once, each on a kept-alive connection."""
POST_TIMEOUT = 10.0


def compose(
    record: InstanceRecord,
    copy: AppFolder,
    client_dir: Path,
    settings: Settings,
    starter: Starter,
    life: InstanceLife,
    bookmarks: Path | None,
    aws: boto3.Session,
) -> ServedApp:
    """Return the parts that serve an app, not started yet.

    ``life`` is the instance's. ``copy`` is the app's folder as its workers see it; ``record`` names
    it as the directory.
    """
    app, ref, prefix = record.settings, record.ref, record.worker_prefix

    logs = WorkerLogs(settings.log_group, functools.partial(client, "logs"))
    maker = WorkerMaker(record, copy, settings, starter, life, logs, bookmarks)
    afresh = functools.partial(maker.make, preload=False)
    workers = Workers(maker.make, app.worker_limits, afresh=afresh)
    worker_id = functools.partial(worker_id_of, workers, prefix)
    seats = Seats(ref, workers.sessions, life.check)
    requests = PageRequests()
    tickets = InstanceTickets(ref, record.key(Purpose.TICKET))

    http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=POSTS, keepalive_timeout=60.0),
        timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    credentials = aws.get_credentials()
    gateway = Gateway(settings.connections_url, aws.region_name, credentials, http)
    carriers = Carriers(gateway)

    async def connect(session_id: str) -> ClientConnection:
        return await r_socket.connect(workers, session_id, *requests.of(session_id))

    sessions = Sessions(Ways(carriers, connect, tickets.issue, time.monotonic), relay_settings(app))
    sockjs = SockJs(
        RelayApplication(sessions, carriers, tickets.session_of),
        SockJsOptions(
            websocket=sessions.settings.websocket,
            disabled=sessions.settings.disabled,
            heartbeat_delay=app.sockjs_heartbeat_delay,
            disconnect_delay=app.sockjs_disconnect_delay,
        ),
    )

    asking = WorkerClient(workers)
    client_files = ClientFiles(client_dir)
    pages = SessionPages(
        sessions,
        workers,
        requests,
        tickets,
        client_files,
        settings.websocket_url,
        prefix,
        lambda: maker.record.settings.google_analytics_id,
        seats.give_back,
    )
    objects = Objects(
        settings.bucket,
        functools.partial(client, "s3"),
        aws.region_name,
        credentials,
        settings.bodies_url,
    )
    kept = KeptAnswers(ref, objects)
    late_answers = LateAnswers(kept, worker_id)
    late_pages = LatePages(worker_id, sessions.has_seat)
    session_urls = SessionUrls(sessions)

    def accepts(session_id: str, wish: Wish) -> bool:
        if wish.method:
            return session_urls.is_open_to(session_id, wish.target)
        return sessions.accepts_upload(session_id, wish.target, wish.size)

    uploads = Uploads(
        ref,
        objects,
        Handover(workers, asking.client, objects),
        tickets.session_of,
        sessions.has_seat,
        accepts,
        lambda: maker.record.settings.largest_upload,
    )

    activity = Activity(
        lambda: bool(workers.users or sessions.active() or sessions.reserved()),
        connected=lambda: sessions.active() > 0,
    )
    crowd = Crowd(
        ref,
        sessions.waiting,
        lambda: len(workers.sessions()),
        lambda: maker.record.settings,
        requests.network_of,
        lambda session_id: sessions.end([session_id], ConnectionLost().ending),
        time.monotonic,
    )
    logins = Logins(requests.logins, sessions.end)
    efs = Path(settings.efs)
    data = functools.partial(app_folders.usage, efs, layout.DATA, ref)
    orders = Orders(life, maker, workers, sessions)
    if isinstance(copy, InPlace):
        look = RestartFile(
            copy,
            orders.restart,
            lambda: maker.record.app_file,
            lambda: not workers.all,
        ).look
        workers.before_sessions(look)
    row = WorkerRow(ref)

    return ServedApp(
        app=server.AppParts(
            pages=Proxy(asking, pages, ForLambda(kept, late_answers, late_pages), prefix).handle,
            sessions=sessions,
            workers=workers,
            activity=activity,
            client=client_files,
            orders=orders,
            session_urls=session_urls,
            signed_out=logins.ended,
            sockjs=sockjs.handle,
            bodies=LargeBodies(late_answers, uploads, late_pages).handle,
        ),
        worker_changes=WorkerChanges(workers, row, sessions),
        session_ends=SessionEnds(activity, pages, uploads),
        workers=workers,
        maker=maker,
        copy=copy,
        logs=logs,
        row=row,
        sessions=sessions,
        sockjs=sockjs,
        gateway=gateway,
        http=http,
        asking=asking,
        kept=kept,
        late_answers=late_answers,
        late_pages=late_pages,
        uploads=uploads,
        seats=seats,
        crowd=crowd,
        logins=logins,
        measuring=Measurements(workers, copy, data),
        activity=activity,
        orders=orders,
    )
