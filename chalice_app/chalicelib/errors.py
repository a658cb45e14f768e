"""The base of Sheen's errors, and their families.

A family says how an error is answered: with which HTTP status by a page or an API, and with which
exit status by the ``sheen`` command. Code that turns an error into an answer asks the error.

Where the families' members are. Those without a prefix are packages of chalicelib::

    SheenError
    ├── Malformed (400, 2)
    │   ├── apps.errors                     BadLocation, BadFolder, BadHost, BadRedirect, BadChange
    │   ├── bodies.errors                   BadUpload (BodyTooLarge: 413), NoHost
    │   ├── configuration.errors            BadAppSetting, BadAccessLogFormat,
    │   │                                   BadConfiguration
    │   ├── configuration.repositories      BadRepositories, BadIndex
    │   ├── errands.errors                  BadErrand
    │   ├── identity.errors                 BadUser, BadHash
    │   ├── lives.pool                      BadSpares
    │   ├── pages.handlebars                BadTemplate
    │   ├── publishing.errors               BadBundle
    │   │   └── tasks.packages.errors       BadLock, NotAvailable, NotInstalled
    │   ├── publishing.scripts              BadScript
    │   ├── schedules                       BadSchedule
    │   ├── syncs.errors                    BadSync
    │   ├── unix_ids.users                  BadRunAs
    │   ├── sheen.bundle                    NotAnApp
    │   ├── sheen.logs                      BadSince
    │   ├── sheen.syncs                     BadWords
    │   └── tasks.remove                    BadRemoval
    ├── Forbidden (403, 4)
    │   ├── sessions.tickets.errors         BadTicket
    │   └── sheen.archive                   NotDeleted
    ├── NotFound (404, 3)
    │   ├── apps.errors                     NoSuchApp, NoSuchVersion, NoSuchLocation
    │   ├── bodies.errors                   UnknownUpload
    │   ├── configuration.errors            NoSuchConfiguration
    │   ├── identity.errors                 NoSuchUser
    │   ├── syncs.errors                    NoSuchSync
    │   └── sheen.logs                      NoLogs
    ├── Conflict (409, 5)
    │   ├── apps.errors                     NotArchived, LocationTaken, LastLocation,
    │   │                                   TooManyLocations
    │   ├── identity.errors                 UserExists
    │   ├── instances.errors                InstanceChanged
    │   ├── sheen.versions                  NotDownloaded
    │   ├── agent.life.instance             BoundElsewhere
    │   └── agent.life.reports              NotAwaited
    ├── Gone (410, 5)
    │   └── agent.failure                   WorkerGone
    ├── Busy (503, 75)
    │   ├── agents.errors                   AgentGone
    │   ├── apps.errors                     TooBusy, FileChanged
    │   ├── identity.errors                 UserChanged
    │   ├── instances.ceilings.errors       TooManyInstances
    │   └── agent.failure                   NoSeat, WorkerExited (WorkerGone)
    ├── Late (504, 75)
    │   └── agents.errors                   AgentSilent
    └── Broken (500, 1)
        ├── errors                          SettingMissing
        ├── agents.errors                   AgentError (AgentGone, AgentSilent)
        ├── apps.errors                     FolderTooLarge, NoUser
        ├── configuration.errors            ConfigurationLost
        ├── errands.errors                  ErrandFailed
        ├── unix_ids.store                  NoUnixId
        ├── infra.aws.errors                DeployError (BadStage, NotSynthesised)
        ├── sheen.deployment                NoDeployment
        ├── sheen.functions                 FunctionFailed
        ├── sheen.local                     NotRunning
        ├── sheen.publish                   PublishFailed
        ├── sheen.script                    RunFailed
        ├── tasks.copy                      NotCopied
        ├── tasks.packages.image            NoR
        ├── tasks.packages.repositories     Unreachable
        ├── tasks.sandbox                   NoBuildUser
        ├── tasks.script                    ScriptFailed
        ├── agent.failure                   WorkerFailed (NoSeat, AppStartFailed, AppInitTimeout,
        │                                   WorkerExited (WorkerGone), PageUnfit)
        ├── agent.http.bodies.answers       AnswerTooLarge
        ├── agent.http.server               CannotListen
        ├── agent.life.metadata             MetadataMissing
        └── agent.record                    NothingToServe

An error with two families is answered as the first one says. The message of each error names the
thing, the rule that it broke and the way out.
"""


class SheenError(Exception):
    """Sheen itself refuses or cannot do something; the message is for people."""

    status: int = 500
    """The HTTP status of an answer that tells about the error."""
    exit_status: int = 1
    """The exit status of a command that ends with the error."""


class Malformed(SheenError):
    """What was given breaks a rule, and will break it again: the caller must change it."""

    status, exit_status = 400, 2


class Forbidden(SheenError):
    """The caller may not do this."""

    status, exit_status = 403, 4


class NotFound(SheenError):
    """What was named is not there."""

    status, exit_status = 404, 3


class Conflict(SheenError):
    """The thing is not in the state that this needs."""

    status, exit_status = 409, 5


class Gone(SheenError):
    """The thing was there, has ended, and does not come back."""

    status, exit_status = 410, 5


class Busy(SheenError):
    """There is no room at the moment: the same may succeed a little later."""

    status, exit_status = 503, 75  # EX_TEMPFAIL of sysexits.h


class Late(SheenError):
    """No answer came in time, and nobody knows whether the thing was done."""

    status, exit_status = 504, 75


class Broken(SheenError):
    """Something that Sheen needs does not work; whoever runs it must look."""

    status, exit_status = 500, 1


class SettingMissing(Broken):
    """The deployment lacks a setting that this part cannot work without."""
