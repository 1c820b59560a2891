"""The program's window, as a person has it: found by what a screen reader says, used by mouse and keyboard.

Names and places come over AT-SPI; every press, move and key is a real one of the X server (xdotool). Whatever does not
happen in time ends the script with words and a picture.
"""

import os
import subprocess
import time
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, Gio, GLib  # noqa: E402

HERE = Path(__file__).parent
# A place where nothing reacts to the pointer: between the words of the bottom bar.
AWAY = (700, 797)


class Failure(Exception):
    """What was expected and did not happen."""


def until(what, condition, seconds=20.0):
    """What `condition` gives, once that is true; a failure that says `what` otherwise."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failure(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def ask_for_names():
    """Makes programs tell what is in their windows, as if a screen reader were running."""
    bus = Gio.bus_get_sync(Gio.BusType.SESSION)
    for name in ["IsEnabled", "ScreenReaderEnabled"]:
        value = GLib.Variant("(ssv)", ("org.a11y.Status", name, GLib.Variant("b", True)))
        place = ["org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set"]
        bus.call_sync(*place, value, None, Gio.DBusCallFlags.NONE, -1, None)


class Widget:
    """One thing in the window: its role, its name and where it is on the screen."""

    def __init__(self, role, name, x, y, width, height):
        self.role, self.name = role, name
        self.x, self.y, self.width, self.height = x, y, width, height

    @property
    def middle(self):
        return self.x + self.width // 2, self.y + self.height // 2

    def __repr__(self):
        return f"{self.role} “{self.name}” at {self.x}, {self.y}, {self.width} x {self.height}"


class Window:
    def __init__(self, program, log):
        with open(log, "a", encoding="utf-8") as output:
            self.process = subprocess.Popen([program], stdout=output, stderr=subprocess.STDOUT)

    def open(self):
        """Waits for the window and gives it the keyboard, which no window manager does here."""
        found = until("the window is there", self.search_window, 60)
        self.xdotool("windowfocus", "--sync", found)
        until("the window tells a screen reader what is in it", self.widgets, 30)

    def search_window(self):
        self.check_runs()
        words = ["xdotool", "search", "--onlyvisible", "--pid", str(self.process.pid), "--name", "Frostline"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split("\n")[0]

    def check_runs(self):
        if self.process.poll() is not None:
            raise Failure(f"the program ended with status {self.process.returncode}")

    def application(self):
        desktop = Atspi.get_desktop(0)
        for number in range(desktop.get_child_count()):
            child = desktop.get_child_at_index(number)
            if child and child.get_process_id() == self.process.pid:
                child.set_cache_mask(Atspi.Cache.NONE)
                return child
        return None

    def widgets(self):
        """Everything that has a name, in the order of the tree."""
        self.check_runs()
        found = []

        def walk(node):
            # What was there a moment ago may be gone: then it counts as not there.
            try:
                name, role = node.get_name(), node.get_role_name()
                # An application is named and has no place.
                if name and "Component" in node.get_interfaces():
                    place = node.get_extents(Atspi.CoordType.SCREEN)
                    found.append(Widget(role, name, place.x, place.y, place.width, place.height))
                children = [node.get_child_at_index(number) for number in range(node.get_child_count())]
            except GLib.Error:
                return
            for child in children:
                if child:
                    walk(child)

        application = self.application()
        if application:
            walk(application)
        return found

    def find(self, start, role=None):
        """The first widget whose name is `start` or begins with it, else None."""
        fitting = [w for w in self.widgets() if w.name.startswith(start) and (role is None or role in w.role)]
        return next((w for w in fitting if w.name == start), fitting[0] if fitting else None)

    def wait(self, start, role=None, seconds=20.0):
        return until(f"“{start}” is shown", lambda: self.find(start, role), seconds)

    def wait_gone(self, start, seconds=20.0):
        until(f"“{start}” is gone", lambda: not self.find(start), seconds)

    def xdotool(self, *words):
        subprocess.run(["xdotool", *map(str, words)], check=True)

    def move(self, place):
        self.xdotool("mousemove", "--sync", *place)

    def click(self, start, role="button"):
        place = self.wait(start, role).middle
        self.move(place)
        self.xdotool("click", 1)

    def glide(self, begin, end, steps=12):
        """Moves the pointer as a hand does, not at once."""
        for step in range(1, steps + 1):
            self.xdotool("mousemove", *(round(a + (b - a) * step / steps) for a, b in zip(begin, end)))
            time.sleep(0.03)

    def drag(self, begin, end):
        self.move(begin)
        self.xdotool("mousedown", 1)
        self.glide(begin, end)
        self.xdotool("mouseup", 1)

    def key(self, *keys):
        for key in keys:
            self.xdotool("key", key)

    def type(self, text):
        self.xdotool("type", "--delay", 30, text)

    def command(self, text):
        """Finds a command in the palette and gives it, by keyboard alone."""
        self.key("ctrl+k")
        self.wait("Find a command")
        self.type(text)
        self.wait(text, "button")
        self.key("Return")
        self.wait_gone("Find a command")

    def drop(self, paths, place):
        """Drags files from another program to `place` and lets them go there."""
        words = ["/usr/bin/python3", str(HERE / "xdnd.py"), *map(str, paths)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as source:
            begin = tuple(int(number) for number in source.stdout.readline().split()[1:])
            self.move(begin)
            self.xdotool("mousedown", 1)
            self.glide(begin, place)
            answer = source.stdout.readline().strip()
            if answer != "accepted":
                raise Failure(f"the window does not take dropped files: it answered “{answer}”")
            self.xdotool("mouseup", 1)
            try:
                status = source.wait(20)
            except subprocess.TimeoutExpired:
                source.kill()
                raise Failure("the window took the drop and never said that it has finished") from None
            if status != 0:
                raise Failure("the drop came to nothing")

    def grab(self):
        """The pixels of the screen."""
        return subprocess.run(["import", "-silent", "-window", "root", "rgb:-"], capture_output=True, check=True).stdout

    def settle(self):
        """Waits until the picture stays the same, with the pointer out of the way."""
        self.move(AWAY)
        seen = []

        def still():
            seen.append(self.grab())
            time.sleep(0.2)
            return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]

        until("the picture stays the same", still)

    def picture(self, path):
        """Writes what the screen shows, messages that go away by themselves excepted."""
        failures = [w.name for w in self.widgets() if w.name.startswith("Dismiss: ")]
        until(f"messages go away: {failures}", lambda: not self.find("Dismiss: "))
        options = ["-strip", "-define", "png:exclude-chunks=date,time"]
        subprocess.run(["import", "-silent", "-window", "root", *options, str(path)], check=True)

    def cpu_ticks(self):
        """Processor time so far, in ticks of the kernel."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def resident_bytes(self):
        return int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGESIZE")

    def end(self):
        """Ends the program where it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
