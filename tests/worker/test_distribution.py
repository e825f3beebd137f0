"""Users' workers install the add-on alone: its own distribution needs Celery and brings nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[2] / "worker"


@pytest.mark.slow
def test_the_add_on_is_a_distribution_of_its_own_that_needs_celery_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=WORKER, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("flower_worker-*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = {Path(name).parts[0].split("-")[0] for name in files.namelist()}
        metadata = next(files.read(name).decode() for name in files.namelist() if name.endswith("METADATA"))
    needed = [line.split()[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert names == {"flower_worker"}
    assert needed == ["celery>=5.3"]
