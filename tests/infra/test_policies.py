"""The policy checks of the infrastructure tests."""

import pytest
from policies import excesses, silences

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/*"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Action": "*"}, "allows ['*']"),
        ({"Action": ["s3:*"]}, "allows ['s3:*']"),
        ({"Resource": "*"}, "on everything"),
        ({"Principal": "*"}, "to all principals"),
        ({"Principal": {"AWS": "*"}}, "to all principals"),
    ],
)
def test_excessive_permissions_are_reported(change: dict, words: str):
    [found] = excesses("one.policy", {"Statement": [READ | change]})
    assert words in found


@pytest.mark.parametrize(
    "statement",
    [
        READ,
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"},
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}},
    ],
)
def test_required_permissions_pass(statement: dict):
    assert list(excesses("one.policy", {"Statement": statement})) == []


EVENTS = {"Effect": "Allow", "Action": "sns:Publish", "Principal": {"Service": ["events.amazonaws.com"]}}


def test_condition_blocks_eventbridge():
    allowed = {"Statement": [EVENTS]}
    blocked = {"Statement": [EVENTS | {"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}]}
    assert [list(silences("topic", policy)) for policy in (allowed, blocked)] == [
        [],
        ["topic allows EventBridge nothing"],
    ]
