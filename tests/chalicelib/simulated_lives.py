"""Instances' lives in a world where everything is lost, doubled or late that may be: state machines
and agents as values, the steps and the rows the true ones.

A machine is the simulation of ``statemachines/instance.asl.json``: its states and their order are
that file's, and its Lambdas are called as they are. An agent does what ``workers/agent`` does to
the rows: it reports, beats, renews leases and gives seats back.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chalicelib.agents.client import Agent, AgentAnswer
from chalicelib.agents.errors import AgentGone
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import spares, store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.lease import RENEW_EVERY, renewed
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.lives import deaths, starts, steps, sweep
from chalicelib.lives.watch import watch
from relay.settings import RelaySettings
from tests.chalicelib.simulated_aws import SimulatedAws, SimulatedTask, refusal

IDLE = 60.0
"""``instance_idle_timeout`` of these apps."""
START_ATTEMPTS, WATCH_ATTEMPTS = 4, 4
SILENCE = 60.0
RESERVATION = RelaySettings().reservation


@dataclass
class SimulatedAgent:
    """A task, seen from inside."""

    task: SimulatedTask
    ref: InstanceRef
    address: str
    token: str | None
    """The one that it beats with, and reports with."""
    quiet_since: float
    ready: bool = False
    pages: dict[str, float] = field(default_factory=dict)
    """Sessions whose socket is not there yet: when their page is made."""
    sessions: set[str] = field(default_factory=set)
    renewed_at: float = 0.0

    @property
    def alive(self) -> bool:
        return self.task.running

    @property
    def seated(self) -> list[str]:
        """Everybody who has a place in a worker."""
        return [*self.pages, *sorted(self.sessions)]


@dataclass
class Machine:
    """One execution: which state it is in, and for which token it waits."""

    ref: InstanceRef
    state: str = "StartTask"
    waits_for: str | None = None
    heard_at: float = 0.0
    attempts: int = 0
    address: str = ""
    task: str = ""
    error: dict[str, str] = field(default_factory=dict)


class World(SimulatedAws):
    """All of it. ``client`` is what ``chalicelib.aws.clients.client`` is to be; ``request`` is what
    agents' client is to be.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.machines: dict[str, Machine] = {}
        self.agents: dict[str, SimulatedAgent] = {}
        """By address."""
        self.stream: list[dict[str, Any]] = []
        self.died: list[SimulatedTask] = []
        self.past: list[Callable[[], Any]] = []
        """Steps that were invoked: each may come again, late."""
        self.skew = 0.0
        self.seen: dict[tuple[str, int], dict[str, Any]] = {}

    def lambdas_clock(self) -> float:
        """What a Lambda takes for the time."""
        return self.now + self.skew

    # What the services do.

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: N803
        super().start_execution(stateMachineArn=stateMachineArn, name=name, input=input)
        self.machines[name] = Machine(InstanceRef.parse(json.loads(input)["instance"]))

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:  # noqa: N803
        super().stop_execution(executionArn=executionArn, error=error, cause=cause)
        self.machines[executionArn.rpartition(":")[2]].waits_for = None

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:  # noqa: N803
        self._fails(self._waiting(taskToken), error)

    def send_task_success(self, token: str, output: dict[str, str]) -> None:
        machine = self._waiting(token)
        machine.waits_for = None
        if machine.state == "StartTask":
            machine.address, machine.task = output["address"], output["task_arn"]
            machine.state, machine.attempts = "Watch", 0
        else:
            machine.state = "Drain"

    def stop_task(self, *, cluster: str, task: str, reason: str) -> None:
        super().stop_task(cluster=cluster, task=task, reason=reason)
        self.died.append(self.tasks[task])

    def _waiting(self, token: str) -> Machine:
        for machine in self.machines.values():
            if machine.waits_for == token and self.executions[machine.ref.instance_id].running:
                return machine
        raise refusal("TaskTimedOut")

    def _fails(self, machine: Machine, error: str) -> None:
        """A failure of the state that it is in: tried again, or the end."""
        machine.waits_for = None
        machine.error = {"Error": error, "Cause": ""}
        machine.attempts += 1
        if (
            machine.state != "StartTask"
            or error == "AppStartFailed"
            or machine.attempts >= START_ATTEMPTS
        ):
            machine.state = "Fail"

    # What the machines do.

    def step(self, machine: Machine, *, doubled: bool = False) -> None:
        """Enter the state that the machine is in, unless it waits there."""
        name = machine.ref.instance_id
        if machine.waits_for is not None or not self.executions[name].running:
            return
        event: dict[str, Any] = {"instance": str(machine.ref)}
        match machine.state:
            case "StartTask":
                token = machine.waits_for = f"{name}-start-{machine.attempts}"
                machine.heard_at = self.now + 120.0  # HeartbeatSeconds is 180 there
                task = self.run_task_of(machine.ref, token)
                self.agents[task.arn] = SimulatedAgent(task, machine.ref, task.arn, token, self.now)
            case "Watch":
                token = machine.waits_for = f"{name}-watch-{next(self.numbers)}"
                machine.heard_at = self.now
                watching = {
                    **event,
                    "address": machine.address,
                    "task": machine.task,
                    "token": token,
                }
                try:
                    for _ in range(1 + doubled):
                        watch(watching, self, self.lambdas_clock)  # type: ignore[arg-type]
                except (AgentGone, InstanceChanged) as error:
                    if machine.waits_for == token:
                        machine.waits_for = None
                        machine.attempts += 1
                        if isinstance(error, InstanceChanged) or machine.attempts >= WATCH_ATTEMPTS:
                            machine.state, machine.error = (
                                "Fail",
                                {"Error": type(error).__name__, "Cause": ""},
                            )
            case "Drain":
                answers = [self._invoke(steps.drain, event) for _ in range(1 + doubled)]
                machine.state, machine.attempts = ("Stop" if answers[-1]["drained"] else "Watch"), 0
            case "Stop":
                for _ in range(1 + doubled):
                    self._invoke(steps.stop, event, self.settings.cluster)
                self.executions[name].running = False
            case "Fail":
                for _ in range(1 + doubled):
                    self._invoke(
                        steps.fail,
                        {**event, "error": machine.error},
                        self.settings.cluster,
                        "https://x.example",
                    )
                self.executions[name].running = False

    def _invoke(self, step: Callable[..., Any], *arguments: Any) -> Any:
        invocation = partial(step, *arguments, self.lambdas_clock)
        self.past.append(invocation)
        return invocation()

    def can_step(self) -> list[Machine]:
        return [
            each
            for each in self.machines.values()
            if each.waits_for is None and self.executions[each.ref.instance_id].running
        ]

    # What agents do, and what Lambdas say to them.

    def request(
        self, agent: Agent, method: str, target: str, headers: Any = (), body: bytes = b"", **_: Any
    ) -> AgentAnswer:
        there = self.agents.get(agent.address)
        if there is None or not there.alive or there.ref.instance_id != agent.instance_id:
            raise AgentGone(f"nobody at {agent.address}")
        if target == "/watch":
            there.token = json.loads(body)["token"]
            there.quiet_since = self.now
        elif target == "/bind":
            ref = InstanceRef.parse(json.loads(body)["instance"])
            if there.ref != ref:
                there.ref, there.renewed_at = ref, self.now
            there.quiet_since = self.now
        return AgentAnswer(204, [], b"")

    def boot(self, agent: SimulatedAgent) -> None:
        """R is there; or the instance was given up meanwhile, and the task ends."""
        row = store.get(agent.ref)
        try:
            if row is None or row.state != InstanceState.STARTING or agent.token is None:
                raise refusal("TaskTimedOut")
            token, agent.token = agent.token, None
            self.send_task_success(token, {"address": agent.address, "task_arn": agent.task.arn})
            agent.ready, agent.quiet_since, agent.renewed_at = True, self.now, self.now
        except Exception:
            self.die(agent)

    def die(self, agent: SimulatedAgent) -> None:
        agent.task.running = False
        agent.pages.clear()
        agent.sessions.clear()
        self.died.append(agent.task)

    def is_idle(self, agent: SimulatedAgent) -> bool:
        pooled = spares.is_spare(agent.ref.version_id)
        return (
            agent.alive
            and agent.ready
            and not agent.seated
            and self.now - agent.quiet_since >= IDLE
            and not pooled
        )

    def report_idle(self, agent: SimulatedAgent) -> None:
        token, agent.token = agent.token, None
        if token is not None:
            try:
                self.send_task_success(token, {})
            except Exception:
                self.look_whether_given_up(agent)

    def look_whether_given_up(self, agent: SimulatedAgent) -> None:
        row = store.get(agent.ref)
        if agent.alive and (row is None or row.state == InstanceState.STOPPED):
            self.die(agent)

    # Time.

    def pass_time(self, seconds: float) -> None:
        """Let time pass: agents beat and renew, who is silent is given up."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 5.0)
            for agent in [agent for agent in self.agents.values() if agent.alive]:
                self._live(agent)
            for machine in list(self.machines.values()):
                if machine.waits_for is not None and self.now - machine.heard_at > SILENCE:
                    self._fails(machine, "States.HeartbeatTimeout")
                    if machine.state == "StartTask":
                        machine.attempts = max(machine.attempts, START_ATTEMPTS - 1)

    def _live(self, agent: SimulatedAgent) -> None:
        if agent.token is not None:
            try:
                machine = self._waiting(agent.token)
                machine.heard_at = max(machine.heard_at, self.now)
            except Exception:
                agent.token = None
                self.look_whether_given_up(agent)
        for session, made in list(agent.pages.items()) if agent.alive else ():
            if self.now - made >= RESERVATION:
                del agent.pages[session]
                agent.quiet_since = self.now
                store.give_back(agent.ref, session)
        if agent.alive and self.now - agent.renewed_at >= RENEW_EVERY:
            agent.renewed_at = self.now
            try:
                store.renew(agent.ref, renewed(agent.seated, self.now))
            except InstanceChanged:
                self.look_whether_given_up(agent)

    # Events.

    def note_changes(self) -> None:
        """Put what changed since the last look into the stream."""
        for row in store.everywhere():
            image = {
                "version_id": {"S": row.version_id}, "slot": {"N": str(int(row.slot))}, "instance_id": {"S": row.instance_id},  # noqa: E501
                "state": {"S": row.state}, "size": {"S": row.size}, **({"bound_to": {"S": row.bound_to}} if row.bound_to else {}),  # noqa: E501
            }  # fmt: skip
            before = self.seen.get((row.version_id, int(row.slot)))
            if image != before:
                self.seen[row.version_id, int(row.slot)] = image
                images = {"NewImage": image, **({"OldImage": before} if before else {})}
                self.stream.append(
                    {"eventName": "MODIFY" if before else "INSERT", "dynamodb": images}
                )

    def deliver_stream(self) -> None:
        accepted = starts.on_change([self.stream[0]], self.settings, self.lambdas_clock())
        assert not accepted["batchItemFailures"]

    def deliver_death(self, task: SimulatedTask) -> None:
        deaths.on_task_stopped(
            task.detail(), self.settings.cluster, "https://x.example", self.lambdas_clock
        )

    def sweep(self) -> dict[str, int]:
        return sweep.sweep(self.settings, self.lambdas_clock)
