"""The judge of policies itself: what it must not let pass."""

import pytest
from policies import excesses, silences

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::one/*"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Action": "*"}, "allows ['*']"),
        ({"Action": ["s3:*"]}, "allows ['s3:*']"),
        ({"Resource": "*"}, "on everything"),
        ({"Principal": "*"}, "to everybody"),
        ({"Principal": {"AWS": "*"}}, "to everybody"),
    ],
)
def test_too_much_is_named(change: dict, words: str):
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
def test_what_is_needed_passes(statement: dict):
    assert list(excesses("one.policy", {"Statement": statement})) == []


EVENTS = {"Effect": "Allow", "Action": "sns:Publish", "Principal": {"Service": ["events.amazonaws.com"]}}


def test_a_condition_silences_eventbridge():
    told = {"Statement": [EVENTS]}
    silent = {"Statement": [EVENTS | {"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}]}
    assert [list(silences("topic", policy)) for policy in (told, silent)] == [[], ["topic allows EventBridge nothing"]]
