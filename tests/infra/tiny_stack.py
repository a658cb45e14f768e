"""Runs the local stack with the tiny app: ``python tests/infra/tiny_stack.py PROJECT NOTES``."""

import sys
from pathlib import Path

from infra.declared import (
    BucketRules,
    Declared,
    EventRule,
    FunctionDeclaration,
    LogGroup,
    Place,
    StateMachine,
    StreamReading,
    TableDeclaration,
    TaskDefinition,
)
from infra.declared.rights import Statement, start, tokens
from infra.declared.tasks import run_tasks
from infra.local.__main__ import serve


def declared(project: Path, notes: Path) -> Declared:
    def uploads(place: Place) -> dict[str, object]:
        detail = {"bucket": {"name": [place.bucket]}, "object": {"key": [{"prefix": "in/"}]}}
        return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}

    plain = (
        "api_handler websocket_connect websocket_message websocket_disconnect "
        "on_task_stopped on_test_event echo big fail leave"
    )

    def stream(place: Place) -> list[Statement]:
        actions = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
        return [
            Statement(
                "Stream",
                tuple(f"dynamodb:{action}" for action in actions),
                (f"{place.table_arn('things')}/stream/*",),
            )
        ]

    def everything_of(action: str) -> Statement:
        return Statement(
            "All",
            (action,),
            ("*",),
            why="it takes no resource, like every action that lists what there is",
        )

    key = {"k": "HASH"}
    return Declared(
        tables=(
            TableDeclaration("things", key, {"k": "S"}, stream="NEW_AND_OLD_IMAGES"),
            TableDeclaration("kept", key, {"k": "S"}, kept=True),
        ),
        task_definitions=(
            TaskDefinition(
                "worker",
                ("python", str(project / "task.py"), "wait"),
                lambda _: {"TINY": "1"},
                256,
                512,
                2,
                statements=lambda place: [tokens(place, "life")],
            ),
        ),
        state_machines=(
            StateMachine(
                "life",
                project / "life.asl.json",
                ("watch",),
                statements=lambda place: [
                    *run_tasks(place, [("worker", "task-worker")]),
                    Statement(
                        "Stop", ("ecs:StopTask",), (place.arn("ecs", f"task/{place.cluster}/*"),)
                    ),
                ],
            ),
            StateMachine("uploads", project / "uploads.asl.json"),
        ),
        log_groups=(LogGroup("things", retention_days=7),),
        rules=(EventRule("uploads", uploads, "uploads"),),
        bucket=BucketRules(
            {"passing/": 1},
            (
                {
                    "AllowedOrigins": ["*"],
                    "AllowedMethods": ["GET", "PUT"],
                    "ExposeHeaders": ["ETag"],
                },
            ),
        ),
        functions=(
            *(
                FunctionDeclaration(name, 10)
                for name in [*plain.split(), "imports", "flaky", "environment"]
            ),
            FunctionDeclaration(
                "on_things", 10, stream, stream=StreamReading((), retries=3, record_age_seconds=300)
            ),
            FunctionDeclaration(
                "inside", 10, lambda _place: [everything_of("dynamodb:ListTables")], in_vpc=True
            ),
            FunctionDeclaration(
                "outside",
                10,
                lambda place: [everything_of("states:ListStateMachines"), start(place, "uploads")],
            ),
            FunctionDeclaration("slow", 1),
            FunctionDeclaration("watch", 5, lambda place: [tokens(place, "life")]),
        ),
        function_environment=lambda _place, _in_vpc: {"TINY_NOTES": str(notes)},
    )


if __name__ == "__main__":
    project, notes = Path(sys.argv[1]), Path(sys.argv[2])
    sys.exit(serve(declared(project, notes), "tiny", chalice_app=project))
