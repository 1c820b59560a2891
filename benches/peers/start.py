"""Time from starting `frostline` until its window has drawn, under an X server of its own.

    python3 start.py --ours PROGRAM [--rounds 9]

Needs Xvfb and Python's Xlib (Debian: xvfb, python3-xlib). Each round has a private home. The first round is not counted,
so the files of the program and its libraries are in the system's cache; what is drawn is drawn by software, since
such a server has no graphics card. A frame is there when the window's pixels are no longer all of one colour; they are
looked at every few milliseconds.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from measure import REPOSITORY, machine
from Xlib import X, display, error

LIMIT_SECONDS = 0.5
GIVE_UP_SECONDS = 60


def start_server():
    """An X server and the name of its display."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-noreset", "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    if not number:
        raise SystemExit("Xvfb gives no display")
    return server, f":{number}"


def window_of(screen):
    """The mapped window that fills most of the screen, if there is one."""
    for window in screen.root.query_tree().children:
        geometry = window.get_geometry()
        if window.get_attributes().map_state == X.IsViewable and geometry.width > 400:
            return window
    return None


def has_drawn(window):
    """Whether a column through the middle of the window has more than one colour."""
    geometry = window.get_geometry()
    column = window.get_image(geometry.width // 3, 0, 8, geometry.height, X.ZPixmap, 0xFFFFFF).data
    pixels = {column[at:at + 3] for at in range(0, len(column), 4)}
    return len(pixels) > 1


def start_once(program, server_name, connection):
    """Seconds until the window is mapped and until it has drawn."""
    with tempfile.TemporaryDirectory(prefix="frostline-bench.") as home:
        environment = {"DISPLAY": server_name, "HOME": home, "FROSTLINE_HOME": f"{home}/frostline",
                       "FROSTLINE_ASSETS": str(REPOSITORY / "assets"), "PATH": os.environ["PATH"]}
        began = time.perf_counter()
        process = subprocess.Popen([str(program)], env=environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            mapped = None
            while process.poll() is None and time.perf_counter() - began < GIVE_UP_SECONDS:
                try:
                    window = window_of(connection.screen())
                    if window:
                        mapped = mapped or time.perf_counter() - began
                        if has_drawn(window):
                            return mapped, time.perf_counter() - began
                except (error.BadWindow, error.BadDrawable, error.BadMatch):
                    pass  # it was replaced between two questions
                time.sleep(0.002)
            raise SystemExit(f"no frame: the program ended with {process.poll()} or {GIVE_UP_SECONDS} s went by")
        finally:
            process.terminate()
            process.wait(20)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    server, name = start_server()
    try:
        connection = display.Display(name)
        times = [start_once(arguments.ours.resolve(), name, connection) for _ in range(arguments.rounds + 1)][1:]
    finally:
        server.terminate()
        server.wait(20)
    print(f"{machine()}; {arguments.rounds} starts, at most {LIMIT_SECONDS} s to the first frame is wanted")
    for what, found in zip(("window mapped", "first frame"), zip(*times)):
        print(f"{what}: median {statistics.median(found):.3f} s ({min(found):.3f} to {max(found):.3f})")


if __name__ == "__main__":
    main()
