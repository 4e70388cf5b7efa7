"""
Make ``sample_logs/`` anew: ``python -m tests.lab.make_samples [NAME…]``, as root, after ``make lab``.

Each sample is the log of one run, untouched, beside what the receivers saw.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.lab.run import run_scenario
from tests.lab.scenario import make_scenario
from tests.lab.variants import BUILT_ROOT, VARIANTS, Variant

SEED = 1
SECONDS = 60
SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"

_README = """# {name}

{about}

- `{log}`: the log as the server wrote it.
- `truth.jsonl`: one line for each recipient whose mail a receiver accepted: over TLS or not, protocol, cipher.
  `reply_id` stands in the receiver's last reply, and so in the log.

Made by `python -m tests.lab.make_samples {name}` (scenario seed {seed}, {seconds} s). Settings beside the lab's own:
{settings}
"""


def log_name(name: str) -> str:
    """Return what the log of a sample is called: as the server itself would call it."""
    return "mainlog" if name.startswith("exim") and not name.endswith("syslog") else "mail.log"


def make_sample(name: str, variant: Variant) -> None:
    """Run the scenario and put log, truth and README into the sample's folder."""
    folder = SAMPLES / name
    with tempfile.TemporaryDirectory(prefix="tlsmon-lab-") as scratch:
        result = run_scenario(make_scenario(SEED, SECONDS, variant.cases), variant.setup, Path(scratch))
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(result.log, folder / log_name(name))
        shutil.copyfile(result.truth, folder / "truth.jsonl")
    settings = "\n".join(f"`{key} = {value}`" for key, value in variant.setup.settings) or "none."
    text = _README.format(
        name=name, about=variant.about, log=log_name(name), seed=SEED, seconds=SECONDS, settings=settings
    )
    (folder / "README.md").write_text(text)


def main() -> None:
    """Make the samples named on the command line, or all that `make lab` has the servers for."""
    for name in sys.argv[1:] or [name for name, variant in VARIANTS.items() if variant.setup.root != BUILT_ROOT]:
        make_sample(name, VARIANTS[name])
        print(name, flush=True)


if __name__ == "__main__":
    main()
