"""The AWS SDK for JavaScript, installed as its lock file says into target/."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent / "javascript"
INSTALLED = Path(__file__).parents[2] / "target" / "clients-javascript"


def install(here=HERE, installed=INSTALLED):
    """Installs what a folder's lock file names, unless it is there already."""
    installed.mkdir(parents=True, exist_ok=True)
    lock = (here / "package-lock.json").read_bytes()
    for path in here.iterdir():
        shutil.copy(path, installed / path.name)
    done = installed / "installed"
    if not done.exists() or done.read_bytes() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        subprocess.run(command, cwd=installed, check=True, timeout=600)
        done.write_bytes(lock)


def test_a_whole_life(server):
    install()
    command = ["node", "life.mjs", f"http://{server.address}"]
    done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "to be deleted"
    assert len(done.stdout.split("\n")) == 6
