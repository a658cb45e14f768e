"""State machines from ``statemachines/``, and the rules that start them."""

import json

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.aws.place import aws_place, in_template
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack, accept
from infra.aws.stacks.roles import RolesStack
from infra.declared import Declared, EventRule, Place, StateMachine
from infra.declared.names import camel


class OrchestrationStack(SheenStack):
    """State machines and rules; they need the functions, which Chalice deploys."""

    def __init__(
        self, scope: Construct, stage: Stage, declared: Declared, roles: RolesStack
    ) -> None:
        super().__init__(scope, stage, "orchestration", "state machines and rules")
        self._declared = declared
        self.add_stack_dependency(roles)
        self.place: Place = aws_place(stage)
        self.machines = {
            machine.name: self._add_machine(machine) for machine in declared.state_machines
        }
        self.undelivered = self._add_queue()
        for rule in declared.rules:
            self._add_rule(rule)

    def _add_machine(self, machine: StateMachine) -> stepfunctions.CfnStateMachine:
        created = stepfunctions.CfnStateMachine(
            self,
            f"{machine.name.capitalize()}Machine",
            state_machine_name=self.place.name(machine.name),
            state_machine_type="STANDARD",
            role_arn=in_template(self.place.role_arn(machine.role)),
            definition_string=json.dumps(
                json.loads(machine.file.read_text()), separators=(",", ":")
            ),
            definition_substitutions=in_template(self._declared.substitutions(self.place, machine)),
        )
        accept(
            created,
            "SF1",
            "A standard workflow keeps every execution's history for 90 days by itself",
        )
        accept(
            created,
            "SF2",
            "The functions are traced; a trace of a year of waiting says nothing more",
        )
        return created

    def _add_queue(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Undelivered",
            queue_name=self.place.name("undelivered"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        accept(queue, "SQS3", "It is a dead-letter queue itself")
        self.tell(
            "UndeliveredQueue", queue.queue_url, "Events that started nothing, after all attempts"
        )
        return queue

    def _add_rule(self, rule: EventRule) -> None:
        identity = camel(rule.name)
        created = events.CfnRule(
            self,
            f"{identity}Rule",
            name=self.place.name(rule.name),
            event_pattern=in_template(dict(rule.pattern(self.place))),
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id=rule.state_machine,
                    arn=self.machines[rule.state_machine].ref,
                    role_arn=in_template(self.place.role_arn(rule.role)),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=self.undelivered.queue_arn
                    ),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=86_400, maximum_retry_attempts=185
                    ),
                )
            ],
        )
        self.undelivered.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.undelivered.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": created.attr_arn}},
            )
        )
