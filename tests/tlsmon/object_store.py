"""A server that speaks S3, in a process of its own on loopback, and stores in its buckets."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """Run the server; give the environment in which ``s3://`` means this one. The bucket ``mail`` is there."""
    port = free_port()
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        environment = ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        client(environment).create_bucket(Bucket="mail")
        yield environment
    finally:
        server.kill()
        server.wait()


def client(environment: dict[str, str]) -> Any:  # boto3 makes its classes at run time
    """Return a plain S3 client of another make than those that tlsmon uses."""
    import boto3  # noqa: PLC0415, slow

    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )


def tlsmon(environment: dict[str, str], *arguments: object) -> "subprocess.Popen[str]":
    """Start the command in a process of its own, as somebody's shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "tlsmon", *map(str, arguments)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "the S3 server ended"
        time.sleep(0.1)
    raise TimeoutError
