"""
Where a store is: a directory, or a place in an object store (``s3://bucket/name``).

Two libraries reach an object store: deltalake for the table, fsspec for the documents beside it. Both take the address
and the credentials from the environment (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, …) or the machine's role.
"""

import os
from collections.abc import Mapping
from typing import Final

_S3: Final = ("s3://", "s3a://")
_CLEARTEXT: Final = "http://"


def is_remote(location: str) -> bool:
    """Tell whether a location is in an object store."""
    return "://" in location


def table_options(location: str, environment: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """
    Return deltalake's settings for a location; None where its own will do.

    S3: a commit is a PUT with ``If-None-Match: *``, so of two commits of the same version one is refused. This is what
    deltalake does by default; it is said here so that no setting of the environment can turn it off. An endpoint that
    is given as ``http://`` is taken at its word.
    """
    if not location.startswith(_S3):
        return None
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    options = {"conditional_put": "etag"}
    if endpoint:
        options["aws_endpoint"] = endpoint
    if endpoint.startswith(_CLEARTEXT):
        options["allow_http"] = "true"
    return options
