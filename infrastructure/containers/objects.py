"""Buckets and their contents: `objects.py make | save | load`, the latter two as a tar on standard output and input.

S3_ENDPOINT is asked; S3_USERS names the accounts, S3_<ACCOUNT>_KEY their secret keys. Each has one bucket of its name.
Saving needs no pause: the log of a Delta table is read before its files, and no file of a table is ever altered.
"""

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config

LOG = "_delta_log/"


def connect(account: str) -> Any:
    """The client of one account."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=f"{account}:hazecast",
        aws_secret_access_key=os.environ[f"S3_{account.upper()}_KEY"],
        config=Config(retries={"max_attempts": 8, "mode": "standard"}, s3={"addressing_style": "path"}),
    )


def make(accounts: list[str]) -> None:
    """Make the buckets that are not there."""
    for account in accounts:
        client = connect(account)
        if account not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=account)


def keys(client: Any, bucket: str) -> Iterator[str]:
    """Every key of a bucket."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (found["Key"] for found in page.get("Contents", []))


def save(accounts: list[str]) -> None:
    """Write every object to standard output, logs of tables first."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for account in accounts:
            client = connect(account)
            logs = [key for key in keys(client, account) if LOG in key]
            files = [key for key in keys(client, account) if LOG not in key]
            for key in logs + files:
                body = client.get_object(Bucket=account, Key=key)["Body"].read()
                entry = tarfile.TarInfo(f"{account}/{key}")
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))


def load(accounts: list[str]) -> None:
    """Make the buckets hold what standard input has, and nothing else; files of tables before their logs."""
    make(accounts)
    clients = {account: connect(account) for account in accounts}
    for account, client in clients.items():
        for key in list(keys(client, account)):
            client.delete_object(Bucket=account, Key=key)
    logs: list[tuple[str, str, bytes]] = []
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for entry in archive:
            account, _, key = entry.name.partition("/")
            body = archive.extractfile(entry).read()  # type: ignore[union-attr]  # saved as files, all of them
            if LOG in key:
                logs.append((account, key, body))
            else:
                clients[account].put_object(Bucket=account, Key=key, Body=body)
    for account, key, body in logs:
        clients[account].put_object(Bucket=account, Key=key, Body=body)


if __name__ == "__main__":
    {"make": make, "save": save, "load": load}[sys.argv[1]](os.environ["S3_USERS"].split())
