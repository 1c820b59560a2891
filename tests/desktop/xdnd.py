#!/usr/bin/python3
"""A drag source, as a file manager is one: a small window that stands for the files named on the command line.

Whoever holds the mouse presses the button on it (the place is printed as `ready X Y`), moves over a window and lets
go. The source speaks XDND version 5 (https://www.freedesktop.org/wiki/Specifications/XDND/) with what lies under the
pointer. It prints `accepted` and `refused` as the target answers. Exit status: 0 after XdndFinished, 1 where the files
were let go over nothing that takes them.
"""

import sys
from pathlib import Path
from urllib.parse import quote

from Xlib import X, Xatom, display
from Xlib.protocol import event as events

VERSION = 5
SIDE = 36
# Where the window stands at first; beside the pointer while it is dragged, so that it is never what lies below.
START = (8, 600)
OFFSET = 14
MOUSE = X.ButtonPressMask | X.ButtonReleaseMask | X.PointerMotionMask


class Source:
    def __init__(self, paths):
        self.display = display.Display()
        self.root = self.display.screen().root
        self.uris = "".join(f"file://{quote(str(path))}\r\n" for path in paths).encode()
        self.types = [self.atom(name) for name in ("text/uri-list", "UTF8_STRING", "text/plain", "TEXT")]
        self.window = self.root.create_window(
            *START, SIDE, SIDE, 1, X.CopyFromParent, override_redirect=True, event_mask=MOUSE, background_pixel=0x63C7FF
        )
        # More than three types are named in a property; three of them in the message itself.
        self.window.change_property(self.atom("XdndTypeList"), Xatom.ATOM, 32, self.types)
        self.window.map()
        self.target = None
        self.is_accepted = False
        self.waits_for_status = False
        self.next_position = None
        self.is_let_go = False

    def atom(self, name):
        return self.display.intern_atom(name)

    def send(self, name, *data):
        """A client message to the target; `data` follows the source's window."""
        values = [self.window.id, *data] + [0] * (4 - len(data))
        message = events.ClientMessage(window=self.target, client_type=self.atom(name), data=(32, values))
        self.target.send_event(message, event_mask=0)

    def below(self, x, y):
        """The topmost window at this place that knows XDND."""
        window = self.root
        while True:
            child = window.translate_coords(self.root, x, y).child
            if not child:
                return None
            if child.get_full_property(self.atom("XdndAware"), Xatom.ATOM):
                return child
            window = child

    def move(self, event):
        self.window.configure(x=event.root_x + OFFSET, y=event.root_y + OFFSET)
        target = self.below(event.root_x, event.root_y)
        if target != self.target:
            if self.target:
                self.send("XdndLeave")
            self.target, self.is_accepted, self.waits_for_status = target, False, False
            if target:
                self.send("XdndEnter", VERSION << 24 | 1, *self.types[:3])
        if self.target:
            self.next_position = (event.root_x << 16 | event.root_y, event.time)
            self.send_position()

    def send_position(self):
        """The newest position; the next one waits for the target's answer."""
        if self.next_position and not self.waits_for_status:
            self.send("XdndPosition", 0, *self.next_position, self.atom("XdndActionCopy"))
            self.next_position, self.waits_for_status = None, True

    def end_of_drag(self):
        """True while the target still has to say something."""
        if self.target and (self.waits_for_status or self.next_position):
            return True
        if self.target and self.is_accepted:
            self.send("XdndDrop", 0, self.time)
            self.is_let_go = False
            return True
        if self.target:
            self.send("XdndLeave")
        return False

    def answer(self, request):
        """Gives the names in the type that the target asked for."""
        place = request.property
        if request.target in self.types:
            request.requestor.change_property(place, request.target, 8, self.uris)
        elif request.target == self.atom("TARGETS"):
            request.requestor.change_property(place, Xatom.ATOM, 32, self.types)
        else:
            place = X.NONE
        request.requestor.send_event(
            events.SelectionNotify(
                time=request.time,
                requestor=request.requestor,
                selection=request.selection,
                target=request.target,
                property=place,
            )
        )

    def run(self):
        print("ready", START[0] + SIDE // 2, START[1] + SIDE // 2, flush=True)
        while True:
            self.display.flush()
            event = self.display.next_event()
            if event.type == X.ButtonPress:
                self.window.set_selection_owner(self.atom("XdndSelection"), event.time)
                self.root.grab_pointer(False, MOUSE, X.GrabModeAsync, X.GrabModeAsync, X.NONE, X.NONE, event.time)
            elif event.type == X.MotionNotify and event.state & X.Button1Mask:
                self.move(event)
            elif event.type == X.ButtonRelease:
                self.display.ungrab_pointer(event.time)
                self.window.unmap()
                self.is_let_go, self.time = True, event.time
            elif event.type == X.SelectionRequest:
                self.answer(event)
            elif event.type == X.ClientMessage and event.client_type == self.atom("XdndStatus"):
                self.waits_for_status = False
                is_accepted = bool(event.data[1][1] & 1)
                if is_accepted != self.is_accepted:
                    print("accepted" if is_accepted else "refused", flush=True)
                self.is_accepted = is_accepted
                self.send_position()
            elif event.type == X.ClientMessage and event.client_type == self.atom("XdndFinished"):
                return 0
            if self.is_let_go and not self.end_of_drag():
                self.display.flush()
                return 1


if __name__ == "__main__":
    sys.exit(Source([Path(path).absolute() for path in sys.argv[1:]]).run())
