#!/usr/bin/env python3
"""Compares Frostline with Hugging Face's own Python client, both against the loopback Hub of the tests.

1. The client lists, looks up and downloads from the loopback Hub, and meets its refusals: so the stand-in is faithful.
2. Both download the same models into caches of their own, which are compared file by file: names, links, content.
3. Each works without a network from the cache that the other made.

    python3 tests/hub/compare.py [--python PYTHON]

Makes a virtual environment with huggingface_hub, unless the interpreter of one is given. Builds the program and the
example `loopback_hub` with cargo.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).parents[2]
MODELS = ["timm/mobilenetv2_100.ra_in1k", "owner/small-bert"]
# What Frostline fetches of a model.
WANTED = ["config.json", "README.md", "tokenizer.json", "1_Pooling/config.json", "model.safetensors"]


def clean_environment(**more):
    dropped = ("HF_", "HUGGING", "TRANSFORMERS_", "FROSTLINE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(dropped)}
    return kept | {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | more


def contents(cache):
    """What each path of a cache is: a link with its target, or a file with its digest. Locks are not kept by all."""
    found = {}
    for path in sorted(cache.rglob("*")):
        name = str(path.relative_to(cache))
        if name.startswith(".locks"):
            continue
        if path.is_symlink():
            found[name] = "link to " + os.readlink(path)
        elif path.is_file():
            found[name] = "file " + hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def frostline(program, environment, *arguments, code=0):
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def with_client(stage, place):
    """Runs in the interpreter that has huggingface_hub; the environment says which Hub and which cache."""
    from huggingface_hub import HfApi, hf_hub_download, scan_cache_dir, snapshot_download
    from huggingface_hub.errors import (EntryNotFoundError, GatedRepoError, RepositoryNotFoundError,
                                        RevisionNotFoundError)

    def refused(error, call, *arguments, **named):
        try:
            call(*arguments, **named)
        except error:
            return
        raise AssertionError(f"{call.__name__}{arguments} was not refused with {error.__name__}")

    if stage == "online":
        api, token = HfApi(), os.environ["LOOPBACK_TOKEN"]
        listed = [m.id for m in api.list_models(search="crowd/model", sort="downloads", limit=230)]
        print(json.dumps(listed))
        for model in MODELS:
            info = api.model_info(model)
            assert info.sha and info.pipeline_tag and info.safetensors.total, info
            paths = {f.path for f in api.list_repo_tree(model, recursive=True)}
            assert {"config.json", "model.safetensors"} <= paths, paths
            one = hf_hub_download(model, "config.json", cache_dir=place + "-single")
            assert json.load(open(one))
            snapshot_download(model, allow_patterns=WANTED)
        # Without a token the Hub says 401 for what is not there; the client reads that so on https alone.
        refused(RepositoryNotFoundError, api.model_info, "owner/nothing", token=token)
        refused(RevisionNotFoundError, api.model_info, MODELS[0], revision="v9")
        refused(EntryNotFoundError, hf_hub_download, MODELS[0], "nothing.json", cache_dir=place + "-single")
        refused(GatedRepoError, hf_hub_download, "owner/gated-bert", "config.json", cache_dir=place + "-single")
        hf_hub_download("owner/gated-bert", "model.safetensors", token=token, cache_dir=place + "-single")
    else:
        for model in MODELS:
            folder = pathlib.Path(snapshot_download(model, local_files_only=True, allow_patterns=WANTED))
            assert (folder / "model.safetensors").stat().st_size > 500_000
        scanned = scan_cache_dir()
        assert not scanned.warnings, scanned.warnings
        assert sorted(r.repo_id for r in scanned.repos) == sorted(MODELS), scanned.repos


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="an interpreter with huggingface_hub")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        return with_client(arguments.stage, arguments.place)

    with tempfile.TemporaryDirectory(prefix="frostline-compare-") as work:
        compare(pathlib.Path(work), arguments.python)


def compare(work, python):
    if not python:
        venv.create(work / "venv", with_pip=True)
        python = work / "venv/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "huggingface_hub"], check=True)
    subprocess.run(["cargo", "build", "--locked", "--bin", "frostline", "--example", "loopback_hub"], cwd=ROOT, check=True)
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
    program = built / "frostline"
    hub = subprocess.Popen([built / "examples/loopback_hub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(hub.stdout.readline())
        theirs, ours = work / "python", work / "frostline"

        def environment(cache, **more):
            return clean_environment(HF_HUB_CACHE=str(cache), HF_HOME=str(work / "hf"), FROSTLINE_HOME=str(work / "home"),
                                     HF_ENDPOINT=said["endpoint"], LOOPBACK_TOKEN=said["token"],
                                     FROSTLINE_ASSETS=str(ROOT / "assets"), **more)

        def client(stage, cache, **more):
            command = [python, __file__, "--stage", stage, "--place", str(cache)]
            done = subprocess.run(command, env=environment(cache, **more), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        listed = json.loads(client("online", theirs))
        found = frostline(program, environment(ours), "hub", "search", "crowd/model", "--limit", "230", "--json")
        assert [json.loads(line)["id"] for line in found.splitlines()] == listed
        print(f"lists: {len(listed)} models, the same in the same order")

        for model in MODELS:
            frostline(program, environment(ours), "hub", "download", model)
        expected, got = contents(theirs), contents(ours)
        for name in sorted(expected.keys() | got.keys()):
            if expected.get(name) != got.get(name):
                sys.exit(f"{name}: {expected.get(name)} in Python's cache, {got.get(name)} in Frostline's")
        print(f"caches: {len(expected)} files and links, the same names, targets and contents")

        client("offline", ours, HF_HUB_OFFLINE="1")
        print("Python works offline from the cache that Frostline made")
        denied = environment(theirs, HF_HUB_OFFLINE="1")
        for model in MODELS:
            frostline(program, denied, "hub", "download", model)
            frostline(program, denied, "hub", "verify", model)
            frostline(program, denied, "tree", model)
        print("Frostline works offline from the cache that Python made")
    finally:
        hub.stdin.close()
        hub.wait()


if __name__ == "__main__":
    main()
