"""The ``sheen`` command. ``sheen --help`` lists its subcommands."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.errors import SheenError
from sheen import deployment
from sheen.aws_errors import AWS_ERRORS, sentence
from sheen.console import progress, say


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="sheen", description="Publish Shiny apps that run only while somebody looks."
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    publish = commands.add_parser(
        "publish", help="upload a folder or a bundle as an app and follow it until it is active"
    )
    publish.add_argument(
        "source",
        type=Path,
        metavar="DIR|BUNDLE",
        help="folder with app.R, or server.R and ui.R; or a .zip or .tar.gz of it",
    )
    publish.add_argument(
        "--at",
        metavar="/PATH",
        help="where visitors find it; default: /<name of the folder or bundle>",
    )
    publish.add_argument(
        "--log", action="store_true", help="show what installing the app's packages says"
    )

    versions = commands.add_parser(
        "versions", help="list what was published at a location, the newest first"
    )
    versions.add_argument("location", metavar="/PATH")
    rollback = commands.add_parser(
        "rollback", help="go back to the version before, or to another; nothing is built"
    )
    rollback.add_argument("location", metavar="/PATH")
    rollback.add_argument("version", nargs="?", metavar="VERSION")
    redeploy = commands.add_parser(
        "redeploy", help="build the active version's bundle anew, as a new version"
    )
    redeploy.add_argument("location", metavar="/PATH")
    redeploy.add_argument("--log", action="store_true", help="as of publish")
    download = commands.add_parser(
        "download", help="fetch the bundle of the active or another version, as it was uploaded"
    )
    download.add_argument("location", metavar="/PATH")
    download.add_argument("version", nargs="?", metavar="VERSION")
    download.add_argument(
        "-o", dest="to", type=Path, metavar="FILE", help="default: the bundle's own name, here"
    )

    commands.add_parser("apps", help="list the apps and whether each sleeps, starts or runs")
    commands.add_parser("status", help="list the instances, their workers and sessions")

    configure = commands.add_parser("configure", help="show or change an app's settings")
    configure.add_argument("location", metavar="/PATH")
    configure.add_argument(
        "changes", nargs="*", metavar="NAME=VALUE", help="NAME= alone goes back to the default"
    )

    commands.add_parser("locations", help="list the URLs and where each leads")
    move = commands.add_parser("move", help="move an app to another URL; open sessions go on")
    move.add_argument("location", metavar="/PATH")
    move.add_argument("to", metavar="/NEW")
    alias = commands.add_parser("alias", help="let one more URL lead to an app")
    alias.add_argument("location", metavar="/PATH")
    alias.add_argument("to", metavar="/OTHER")
    redirect = commands.add_parser("redirect", help="redirect a URL to another one")
    redirect.add_argument("location", metavar="/PATH")
    redirect.add_argument("url", metavar="URL", help="https://… or a path of the same host")
    redirect.add_argument("--status", type=int, default=302, help="301, 302 …; default: 302")
    redirect.add_argument("--below", action="store_true", help="redirect all paths below it too")
    unlink = commands.add_parser("unlink", help="let a URL lead nowhere any more")
    unlink.add_argument("location", metavar="/PATH")
    for command in (move, alias, redirect, unlink):
        command.add_argument(
            "--host", default="", help="of the site of this host; default: of all other hosts"
        )

    archive = commands.add_parser(
        "archive",
        help="put an app away: its instances stop, and nobody gets in; all it has is kept",
    )
    archive.add_argument("location", metavar="/PATH")
    restore = commands.add_parser("restore", help="take an app out of the archive")
    restore.add_argument("location", metavar="/PATH")
    delete = commands.add_parser("delete", help="delete an archived app for good")
    delete.add_argument("location", metavar="/PATH")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    restart = commands.add_parser(
        "restart", help="let new sessions start afresh; open ones go on until they end"
    )
    restart.add_argument("location", metavar="/PATH")

    sync = commands.add_parser(
        "sync", help="copy data from S3 to where apps see it, or say what to copy"
    )
    sync.add_argument(
        "words",
        nargs="*",
        metavar="NAME",
        help="which; none: all | define NAME [KEY=VALUE …] | remove NAME",
    )
    sync.add_argument(
        "--prefix",
        default="",
        metavar="KEY",
        help="only what begins so, below the sync's own prefix",
    )
    sync.add_argument(
        "--follow", action="store_true", help="wait for the end, and tell how far it is"
    )
    syncs = commands.add_parser(
        "syncs", help="list the syncs, or the runs of one, and how old the data is"
    )
    syncs.add_argument("name", nargs="?", metavar="NAME")
    logs = commands.add_parser("logs", help="show what an app's R processes have said")
    logs.add_argument("location", metavar="/PATH")
    logs.add_argument(
        "--follow", action="store_true", help="go on with what they say from now on, until Ctrl-C"
    )
    logs.add_argument("--version", default="", metavar="V", help="only of this version")
    logs.add_argument(
        "--since", default="1d", metavar="SPAN", help="of the last 10m, 2h, 1d …; default: 1d"
    )

    run = commands.add_parser("run", help="run an R script of a published app as a task")
    run.add_argument("location", metavar="/PATH")
    run.add_argument("script", metavar="SCRIPT", help="path of an .R file within the app")
    run.add_argument(
        "--to",
        metavar="PREFIX",
        help="where in the bucket its files go; default: data/<last part of /PATH>/",
    )

    config = commands.add_parser("config", help="serve by a shiny-server.conf, or check one")
    actions = config.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="say what is wrong with it, and what becomes of each directive"
    )
    check.add_argument("file", type=Path, metavar="FILE")
    apply = actions.add_parser(
        "apply", help="check it, upload it with the files that it names, and serve by it"
    )
    apply.add_argument("file", type=Path, metavar="FILE")
    show = actions.add_parser("show", help="show what is served by, or why one was refused")
    show.add_argument("configuration", nargs="?", metavar="ID", help="default: the active one")
    show.add_argument("--text", action="store_true", help="the file itself")
    actions.add_parser("history", help="list what was applied and refused, the newest first")
    back = actions.add_parser("rollback", help="serve by the one before again, or by another")
    back.add_argument("configuration", nargs="?", metavar="ID")
    actions.add_parser("clear", help="serve by none: what is published stays")

    from sheen import users

    users.define(commands)

    commands.add_parser(
        "env", help='print the variables that point awscli and boto3 here: eval "$(sheen env)"'
    )
    local = commands.add_parser("local", help="run Sheen on this machine")
    local.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="serve what this shiny-server.conf says, in Shiny Server's place",
    )
    return root


def act(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "publish":
            from sheen.publish import publish

            location = publish(
                deployment.use(), arguments.source, arguments.at, progress, show_log=arguments.log
            )
            say(deployment.url_of(location))
        case "versions":
            from sheen.versions import show_versions

            deployment.use()
            show_versions(arguments.location)
        case "rollback":
            from sheen.versions import rollback

            say(rollback(deployment.use(), arguments.location, arguments.version, progress))
        case "redeploy":
            from sheen.versions import redeploy

            say(
                deployment.url_of(
                    redeploy(deployment.use(), arguments.location, progress, show_log=arguments.log)
                )
            )
        case "download":
            from sheen.versions import download

            say(
                str(download(deployment.use(), arguments.location, arguments.version, arguments.to))
            )
        case "apps":
            from sheen.overview import show_apps

            deployment.use()
            show_apps()
        case "status":
            from sheen.overview import show_instances

            deployment.use()
            show_instances()
        case "configure":
            from sheen.configure import configure

            configure(deployment.use(), arguments.location, arguments.changes)
        case "locations":
            from sheen.locations import show_locations

            deployment.use()
            show_locations()
        case "move" | "alias" | "redirect" | "unlink":
            from sheen import locations

            deployment.use()
            say(locations.change(arguments))
        case "archive":
            from sheen.archive import archive

            say(archive(deployment.use(), arguments.location))
        case "restore":
            from sheen.archive import restore

            deployment.use()
            say(restore(arguments.location))
        case "delete":
            from sheen.archive import delete

            say(delete(deployment.use(), arguments.location, None if arguments.yes else input))
        case "restart":
            from sheen.restart import restart

            say(restart(deployment.use(), arguments.location))
        case "sync":
            from sheen.sync import sync

            return sync(
                deployment.use(), arguments.words, arguments.prefix, arguments.follow, progress
            )
        case "syncs":
            from sheen.syncs import show_runs, show_syncs

            settings = deployment.use()
            show_runs(arguments.name) if arguments.name else show_syncs(settings)
        case "logs":
            from sheen.logs import show_logs

            settings = deployment.use()
            show_logs(
                settings,
                arguments.location,
                follow=arguments.follow,
                version=arguments.version,
                since=arguments.since,
            )
        case "run":
            from sheen.script import run_script

            run_script(deployment.use(), arguments.location, arguments.script, arguments.to)
        case "config":
            return act_on_config(arguments)
        case "user":
            from sheen import users

            return users.act(deployment.use(), arguments)
        case "env":
            from infra.shell import exports

            say(exports(deployment.local_environment(deployment.data_folder())))
        case "local":
            import uvloop

            from sheen.local import run

            return uvloop.run(run(arguments.config))
    return 0


def act_on_config(arguments: argparse.Namespace) -> int:
    if arguments.action == "check":
        from sheen.config_check import check_config

        return check_config(arguments.file)
    from sheen import config

    settings = deployment.use()
    match arguments.action:
        case "apply":
            return config.apply(settings, arguments.file)
        case "show":
            return config.show(settings, arguments.configuration, text=arguments.text)
        case "rollback":
            return config.rollback(settings, arguments.configuration)
        case "clear":
            return config.clear(settings)
    config.show_history()
    return 0


def of_a_file(error: OSError) -> str:
    """Return one line that says what happened to a file, and the way out. Pure."""
    what = (
        f"{error.filename}: {error.strerror}"
        if error.filename is not None
        else error.strerror or str(error)
    )
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return f"{what}; name another, or change who may use it"
        case errno.ENOSPC | errno.EDQUOT:
            return f"{what}; make room, or set TMPDIR to a folder that has some"
        case errno.EADDRINUSE:
            return f"{what}; set SHEEN_PORT to another port, or end what has it"
    return f"{what}; look whether it is what you mean"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Every error ends in one line. Sheen's own say with which status (:mod:`chalicelib.errors`);
    AWS's and those of files end with status 1.
    """
    try:
        return act(parser().parse_args(arguments))
    except SheenError as error:
        progress(f"sheen: {error}")
        return error.exit_status
    except AWS_ERRORS as error:
        progress(f"sheen: {sentence(error)}")
        return 1
    except BrokenPipeError:  # the reader, such as head, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        progress(f"sheen: {of_a_file(error)}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
