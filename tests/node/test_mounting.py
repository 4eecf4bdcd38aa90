"""Mounts of one process in a namespace of its own, tried with a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.node.process.supervisor import mounting
from orchestrator.node.process.supervisor.mounting import Mount

pytestmark = pytest.mark.skipif(bool(mounting.probe("/tmp")), reason="no mount namespaces here")

PROGRAM = """
import json, os, runpy, sys
mounting = runpy.run_path(sys.argv[1])
for mounts in json.loads(sys.argv[2]):
    try:
        mounting["apply"]([mounting["Mount"](*item) for item in mounts], sys.argv[3])
    except mounting["MountError"] as error:
        sys.exit(f"refused: {error}")
os.execvp("sh", ["sh", "-c", sys.argv[4]])
"""


def run(scratch: Path, script: str, *mounts: list[Mount]) -> str:
    """Return what a script says after one or more rounds of mounts, each within the last."""
    scratch.mkdir(exist_ok=True)
    words = (mounting.__file__, json.dumps(mounts), str(scratch), script)
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *words), capture_output=True, text=True, check=False
    )
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Return a directory with a directory and a file to mount."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("text")
    (tmp_path / "other").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("how", "above", "below"),
    [("", True, True), ("flat", False, True), ("recursive", False, False)],
)
def test_a_read_only_mount_covers_what_is_mounted_below_it_if_asked(
    places: Path, how: str, above: bool, below: bool
) -> None:
    """recursiveReadOnly: https://kubernetes.io/docs/concepts/storage/volumes/#read-only-mounts."""
    outer = [
        Mount(f"{places}/source", "/no-such/outer", owned=True),
        Mount(f"{places}/other", "/no-such/outer/below"),
    ]
    script = "cd /no-such/inner; touch x && echo above; touch below/x && echo below"
    said = run(
        places / "scratch",
        f"{{ {script}; }} 2>&-",
        outer,
        [Mount("/no-such/outer", "/no-such/inner", how)],
    )
    expected = [word for word, may in (("above", above), ("below", below)) if may]
    assert said.split() == expected


@pytest.mark.parametrize(
    ("target", "script"),
    [
        ("/no-such/a/b", "cat /no-such/a/b/file; ls -d /etc/passwd"),
        ("/etc/no-such/b", "cat /etc/no-such/b/file; ls -d /etc/passwd"),
        ("/var/run/no-such", "cat /run/no-such/file; ls -d /etc/passwd"),
    ],
)
def test_a_mount_point_is_made_for_its_process_alone(
    places: Path, target: str, script: str
) -> None:
    """In the root, in a directory, and behind a symbolic link."""
    said = run(places / "scratch", script, [Mount(f"{places}/source", target)])
    assert said == "text/etc/passwd"
    assert not Path(target).exists()


def test_a_directory_cannot_be_mounted_on_a_file(places: Path) -> None:
    """The refusal names both."""
    said = run(places / "scratch", "echo no", [Mount(f"{places}/source", f"{places}/source/file")])
    assert said == (
        f"refused: mount {places}/source at {places}/source/file: mount: Not a directory"
    )
    gone = run(places / "scratch", "echo no", [Mount(f"{places}/none", "/no-such")])
    assert gone == f"refused: mount {places}/none at /no-such: No such file or directory"
