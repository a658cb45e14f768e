"""The alarms for the operator; docs/operator.md says how to react to each.

Every metric that an alarm looks at costs ten cents a month.

Two groups of functions have no alarms of their own. The failure of a function that a state machine
invokes fails an execution. A function that answers a caller shows its failure to that caller.
"""

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.aws.place import aws_place, in_template
from infra.aws.settings import Stage
from infra.aws.stacks.base import SheenStack
from infra.aws.stacks.orchestration import OrchestrationStack
from infra.declared import Declared
from infra.declared.names import camel
from infra.declared.place import REST_FUNCTION
from infra.declared.syncs import Topic

_MINUTES = 5
_FAILED_EXECUTIONS = {"instance": 5, "publish": 5}
"""Limits per quarter of an hour.

An app that cannot start and a bundle that cannot be built fail one execution each. A broken
deployment fails many.
"""
_FEWEST_ERRORS = 5
_ANSWER_THEIR_CALLER = frozenset(
    {
        "agents_restart",
        "app_archive",
        "app_configure",
        "app_delete",
        "config_change",
        "sync",
        "websocket_disconnect",
    }
)
"""``$disconnect`` is best effort in any case (FACTS W3)."""


_MADE_UP_FOR = frozenset({"keep_active", "logins_end"})
"""Functions whose work is made up for without an alarm, which would cost more than the function.

``keep_active`` needs one success in thirteen days. What ``logins_end`` does at once, agents do
within half a minute.
"""
_TELL_WHEN_LATE = frozenset({"on_errand", "on_sign_in"})
"""Functions of a stream whose callers wait, and are told, when they are late."""


class AlarmsStack(SheenStack):
    """Alarms, the topic that they go to, and the budget."""

    def __init__(
        self, scope: Construct, stage: Stage, declared: Declared, orchestration: OrchestrationStack
    ) -> None:
        super().__init__(scope, stage, "alarms", "alarms and budget")
        self.add_stack_dependency(orchestration)
        place = aws_place(stage)
        self._place = place
        [self._topic] = [self._add_topic(topic) for topic in declared.topics]
        for machine in declared.state_machines:
            self._watch(
                f"{machine.name}-executions",
                f"Executions of the state machine {machine.name} fail",
                self._metric(
                    "AWS/States",
                    "ExecutionsFailed",
                    StateMachineArn=in_template(place.state_machine_arn(machine.name)),
                    minutes=3 * _MINUTES,
                ),
                _FAILED_EXECUTIONS.get(machine.name, 1),
            )
        by_machines = {
            function for machine in declared.state_machines for function in machine.functions
        }
        for function in declared.functions:
            if function.name not in by_machines | _ANSWER_THEIR_CALLER | _MADE_UP_FOR:
                self._watch(
                    f"{function.name}-errors",
                    f"The function {function.name} fails",
                    self._metric(
                        "AWS/Lambda", "Errors", FunctionName=place.function_name(function.name)
                    ),
                    _FEWEST_ERRORS
                    if function.name == REST_FUNCTION or function.name.startswith("websocket")
                    else 1,
                )
            if function.stream is not None and function.name not in _TELL_WHEN_LATE:
                self._watch(
                    f"{function.name}-late",
                    f"The function {function.name} is minutes behind its table's stream",
                    self._metric(
                        "AWS/Lambda",
                        "IteratorAge",
                        "Maximum",
                        FunctionName=place.function_name(function.name),
                    ),
                    120_000,
                )
        self._watch(
            "throttles",
            "Functions of the account are throttled",
            self._metric("AWS/Lambda", "Throttles"),
            10,
        )
        self._watch(
            "undelivered",
            "Events started nothing, after all attempts",
            self._metric(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "Maximum",
                QueueName=place.name("undelivered"),
            ),
            1,
        )
        if stage.alarms.monthly_budget_usd:
            self._add_budget()

    def _add_topic(self, declared: Topic) -> sns.Topic:
        """Add the topic, which also gets the failures of syncs."""
        name = self._place.name(declared.name)
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=name,
            display_name=f"Sheen {self.stage.name}",
            enforce_ssl=True,
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        if self.stage.alarms.mail:
            topic.add_subscription(subscriptions.EmailSubscription(self.stage.alarms.mail))
        self.tell("AlarmTopic", topic.topic_arn, "Alarms go here")
        return topic

    def _metric(
        self,
        namespace: str,
        name: str,
        statistic: str = "Sum",
        *,
        minutes: int = _MINUTES,
        **dimensions: str,
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            statistic=statistic,
            period=cdk.Duration.minutes(minutes),
            dimensions_map=dimensions or None,
        )

    def _watch(
        self, name: str, description: str, metric: cloudwatch.Metric, threshold: float
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            camel(name),
            alarm_name=f"{self.stage.base}-{name}",
            alarm_description=f"{description}: see docs/operator.md, Alarms",
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # A metric without visitors has no data points.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))

    def _add_budget(self) -> None:
        subscriber = budgets.CfnBudget.SubscriberProperty(
            address=self.stage.alarms.mail, subscription_type="EMAIL"
        )

        def beyond(kind: str) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
            return budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=100,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )

        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self.stage.base,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=self.stage.alarms.monthly_budget_usd, unit="USD"
                ),
                cost_filters=None
                if self.stage.alarms.budget_of_account
                else {"TagKeyValue": [f"user:stage${self.stage.name}"]},
            ),
            notifications_with_subscribers=[beyond("ACTUAL"), beyond("FORECASTED")],
        )
