#!/usr/bin/python3
"""The whole job in the real window, from a dropped folder to an export that answers outside. Started by `run.sh`.

Usage: drive.py PROGRAM HOME PICTURES. PICTURES gets `<step>-<theme>.png`; HOME is empty but for `frostline/` (the program
and its assets) and belongs to this script.
"""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from window import AWAY, Failure, Window, ask_for_names, until

STEPS = ["data", "backbone", "layers", "train", "evaluate", "try", "export"]
MIDDLE = (560, 400)
IDLE_SECONDS = 10
EPOCHS = 8


def say(text):
    print(text, flush=True)


def check(is_so, what):
    if not is_so:
        raise Failure(what)


class Drive:
    def __init__(self, program, home, pictures):
        self.program, self.home, self.pictures = program, home, pictures
        self.window = Window(program, pictures / "window.log")
        self.data = home / "Pictures" / "Fotos à trier" / "clip art"
        self.export = home / "clip-art-head"

    def picture(self, step, theme="dark"):
        self.window.settle()
        self.window.picture(self.pictures / f"{step}-{theme}.png")
        say(f"  {step}-{theme}.png")

    def go(self, step):
        """To a step by its number, as on the keyboard."""
        self.window.key(f"ctrl+{STEPS.index(step) + 1}")
        title = self.window.wait(step.capitalize(), "label")
        check(title.height > 18, f"Ctrl+{STEPS.index(step) + 1} opens {step.capitalize()}")

    def recipe(self):
        return tomllib.loads((self.project / "recipe.toml").read_text(encoding="utf-8"))

    def thawed_is(self, layers):
        until(f"the recipe thaws {layers}", lambda: self.recipe()["freeze"].get("thaw") == layers)

    def start(self):
        say("Start")
        self.window.wait("Drop a folder of images")
        self.window.command("Theme: dark")
        self.picture("start")
        before = self.window.cpu_ticks()
        subprocess.run(["sleep", str(IDLE_SECONDS)], check=True)
        ticks = self.window.cpu_ticks() - before
        say(f"  idle: {ticks} ticks in {IDLE_SECONDS} s, {self.window.resident_bytes() / 1e6:.0f} MB resident")
        check(ticks <= IDLE_SECONDS, "an idle window needs no processor")

    def drop_folder(self):
        say("Data: a folder is dropped")
        self.data.parent.mkdir(parents=True)
        shutil.copytree(self.home / "frostline/assets/samples/clip-art", self.data)
        self.window.drop([self.data], MIDDLE)
        self.window.wait("492 images in 10 folders = 10 classes")
        projects = list((self.home / ".local/share/frostline/projects").iterdir())
        check([p.name for p in projects] == ["clip art"], f"one project is made for the folder; there are {projects}")
        self.project = projects[0]
        root = (self.project / self.recipe()["data"]["path"]).resolve()
        check(root == self.data, f"the recipe names the dropped folder; it names {root}")
        self.window.click("beverages: beverages/coffee.jpg")
        self.window.wait("Path")
        self.picture("data")

    def backbone(self):
        say("Backbone")
        self.window.click("Go to Backbone", "toggle button")
        self.window.click("EfficientNet-Lite0", "radio button")
        until("the recipe names EfficientNet", lambda: self.recipe()["backbone"]["id"] == "tf_efficientnet_lite0")
        self.window.key("ctrl+z")
        until("undo goes back to MobileNetV2", lambda: self.recipe()["backbone"]["id"] == "mobilenetv2_100")
        self.picture("backbone")

    def layers(self):
        say("Layers: a preset, then the frostline is dragged")
        self.go("layers")
        self.window.wait_gone("measuring", 60)
        self.window.click("Last two stages")
        self.thawed_is(["blocks.5", "blocks.6", "conv_head", "bn2"])
        line = self.window.wait("Frostline at blocks.5")
        row = self.window.wait("blocks.6, ", "toggle")
        self.window.drag(line.middle, (line.middle[0], row.y + 2))
        self.window.wait("Frostline at blocks.6")
        self.thawed_is(["blocks.6", "conv_head", "bn2"])
        self.window.key("ctrl+z")
        self.thawed_is(["blocks.5", "blocks.6", "conv_head", "bn2"])
        self.window.key("ctrl+shift+z")
        self.thawed_is(["blocks.6", "conv_head", "bn2"])
        self.window.click("Open blocks.6")
        self.window.click("Open blocks.6.0")
        self.window.click("blocks.6.0.conv_dw, ")
        self.window.wait("Filters", "label")
        self.picture("layers")

    def train(self):
        say("Train")
        self.window.click("Go to Train", "toggle button")
        self.window.click("Epochs", "spin")
        self.window.key("ctrl+a")
        self.window.type(str(EPOCHS))
        self.window.key("Return")
        until(f"the recipe says {EPOCHS} epochs", lambda: self.recipe()["training"]["epochs"] == EPOCHS)
        self.window.click("Train", "push button")
        self.window.wait(f"Epoch {EPOCHS // 2 + 1} of {EPOCHS}.", seconds=180)
        self.window.move(AWAY)
        self.window.picture(self.pictures / "train-dark.png")
        say("  train-dark.png")
        before = self.window.grab()
        until("the curves move while the run trains", lambda: self.window.grab() != before)
        self.window.key("ctrl+p")
        self.window.wait("Go on", "button")
        self.window.key("ctrl+p")
        self.window.wait("Pause", "button")
        self.run = self.project / "runs" / "0001"
        until("the run is finished on disk", self.is_finished, 180)
        check(self.recipe() == self.recipe_of(self.run), "the run keeps the recipe that it was trained with")
        self.window.wait("Run 1. Best so far")

    def is_finished(self):
        return json.loads((self.run / "run.json").read_text(encoding="utf-8"))["state"] == "finished"

    def recipe_of(self, run):
        return tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))

    def evaluate(self):
        say("Evaluate: a cell of the confusion matrix is opened")
        self.window.click("Go to Evaluate", "toggle button")
        self.window.wait("Confusion")
        cells = [w for w in self.window.widgets() if ", answered " in w.name and w.role.endswith("button")]
        truth_and_answer = [(w, *w.name.rsplit(":", 1)[0].split(", answered ")) for w in cells]
        wrong = next((w for w, truth, answer in truth_and_answer if truth != answer), None)
        check(wrong, "there is a mistake to look at")
        title, number = wrong.name.rsplit(": ", 1)
        self.window.click(wrong.name)
        self.window.wait(title, "label")
        self.window.wait(f"{number} sample", "label")
        self.picture("evaluate")

    def try_files(self):
        say("Try: two files are dropped")
        folder = self.home / "Pictures" / "à l'été 2024"
        folder.mkdir()
        self.tried = [folder / "été au lac.png", folder / "Größe 2.jpg"]
        for path, kind in zip(self.tried, ["fruit", "vehicles"]):
            shutil.copy(sorted((self.data / kind).glob(f"*{path.suffix}"))[0], path)
        self.go("try")
        self.window.drop(self.tried, MIDDLE)
        self.answers = until("both files are answered", self.window_answers)
        self.picture("try")

    def window_answers(self):
        """For each file the most probable label and its percentage, as the window shows them; None while it does not."""
        widgets = self.window.widgets()
        names = [w.name for w in widgets]
        places = [next((n for n, name in enumerate(names) if name.endswith(path.name)), None) for path in self.tried]
        if None in places or max(places) + 2 >= len(names):
            return None
        return [tuple(names[place + 1 : place + 3]) for place in places]

    def export_it(self):
        say("Export")
        self.go("export")
        self.window.click("New folder", "entry")
        self.window.key("ctrl+a")
        self.window.type(str(self.export))
        self.window.wait("Export", "push button")
        self.window.click("Export", "push button")
        self.window.wait("Written and checked.")
        self.picture("export")

    def outside(self):
        say("Outside: the export answers as the window did")
        words = [self.program, "predict", "--json", str(self.export), *map(str, self.tried)]
        lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
        best = [json.loads(line)["labels"][0] for line in lines]
        found = [(label["label"], f"{100 * label['probability']:.1f} %") for label in best]
        for path, there, here in zip(self.tried, found, self.answers):
            say(f"  {path.name}: {there[0]}, {there[1]}")
            check(here == there, f"the window said {here} about {path.name}, the export says {there}")

    def light(self):
        say("Light, and back at the next start")
        self.window.command("Theme: light")
        for step in ["layers", "train", "evaluate"]:
            self.go(step)
            self.picture(step, "light")
        self.window.key("ctrl+q")
        status = self.window.process.wait(20)
        check(status == 0, f"the window closes without a fault; its status was {status}")
        self.window = Window(self.program, self.pictures / "window.log")
        self.window.open()
        self.window.wait("Clip art, 10 classes")
        self.window.wait("Theme: light")
        self.go("train")
        self.window.wait("Run 1. Best so far")

    def all(self):
        for part in [
            self.start,
            self.drop_folder,
            self.backbone,
            self.layers,
            self.train,
            self.evaluate,
            self.try_files,
            self.export_it,
            self.outside,
            self.light,
        ]:
            part()


def main():
    program, home, pictures = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    ask_for_names()
    drive = Drive(program, home, pictures)
    try:
        drive.window.open()
        drive.all()
    except Failure as failure:
        subprocess.run(["import", "-silent", "-window", "root", str(pictures / "failure.png")], check=False)
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    finally:
        drive.window.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
