"""The root of Sheen's errors, and the tree of them by module.

In parentheses after a class: its subclasses. In chalicelib::

    SheenError
    ├── errors                     SettingMissing
    ├── agents.errors              AgentError (AgentGone, AgentSilent)
    ├── apps.errors                BadLocation, NotArchived, NoSuchApp, NoSuchVersion, BadChange,
    │                              TooBusy
    ├── bodies.errors              BadUpload (TooLarge), UnknownUpload
    ├── configuration.errors       BadAppSetting
    ├── configuration.repositories BadRepositories, BadIndex
    ├── errands.errors             BadErrand, ErrandFailed
    ├── instances.errors           InstanceChanged
    ├── instances.ceilings.errors  TooManyInstances
    ├── lives.pool                 BadSpares
    ├── pages.markup               BadTemplate
    ├── publishing.errors          BadBundle
    ├── publishing.scripts         BadScript
    ├── sessions.tickets.errors    BadTicket
    ├── syncs.errors               BadSync, NoSuchSync, BadSchedule
    └── unix_ids.store             NoUnixId

In the packages that use chalicelib::

    SheenError
    ├── infra.aws.errors             DeployError (BadStage, NotSynthesised)
    ├── publishing.errors.BadBundle
    │   └── tasks.packages.errors      BadLock, NotAvailable, NotInstalled
    ├── sheen.archive                NotDeleted
    ├── sheen.bundle                 NotAnApp
    ├── sheen.deployment             NoDeployment
    ├── sheen.functions              FunctionFailed
    ├── sheen.local                  NotRunning
    ├── sheen.logs                   BadSince, NoLogs
    ├── sheen.publish                PublishFailed
    ├── sheen.script                 RunFailed
    ├── sheen.syncs                  BadWords
    ├── sheen.versions               NotDownloaded
    ├── tasks.copy                   NotCopied
    ├── tasks.packages.image         NoR
    ├── tasks.packages.repositories  Unreachable
    ├── tasks.remove                 BadRemoval
    ├── tasks.sandbox                NoUser
    ├── tasks.script                 ScriptFailed
    ├── workers.agent.failure        WorkerFailed (NoPlace, AppStartFailed, AppInitTimeout,
    │                                AppExited (WorkerGone), PageUnfit)
    ├── workers.agent.http.bodies.answers  AnswerTooLarge
    ├── workers.agent.http.bodies.objects  NoHost
    ├── workers.agent.http.server    CannotListen
    ├── workers.agent.life.instance  BoundElsewhere
    ├── workers.agent.life.metadata  MetadataMissing
    ├── workers.agent.life.reports   NotAwaited
    └── workers.agent.record         NothingToServe

The message of each error names the thing, the rule that it broke and the way out.
"""


class SheenError(Exception):
    """Sheen itself refuses or cannot do something; the message is for people."""


class SettingMissing(SheenError):
    """The deployment lacks a setting that this part cannot work without."""
