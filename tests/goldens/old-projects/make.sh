#!/usr/bin/env bash
# Makes the projects of this folder and what is expected of them, with the program of a version that is to be kept
# readable: make.sh PROGRAM, from the top of the tree. Made with commit f6901f3 on two threads.
set -euo pipefail
program=$1
out=tests/goldens/old-projects
export FROSTLINE_ASSETS=$PWD/assets FROSTLINE_HOME=$(mktemp -d)

# made NAME DATA BACKBONE ARGUMENT..: a trained project, what its export holds and answers, and its scores.
made() {
    local name=$1 data=$2 backbone=$3
    shift 3
    rm -rf "${out:?}/$name"
    "$program" new --data "assets/samples/$data" --backbone "$backbone" --out "$out/$name" "$@" >/dev/null
    "$program" train "$out/$name" --threads 2 >/dev/null
    "$program" export "$out/$name" --out "$FROSTLINE_HOME/$name" >/dev/null
    cp "$FROSTLINE_HOME/$name/head.safetensors" "$out/$name/expected.safetensors"
    cp "$FROSTLINE_HOME/$name/manifest.json" "$out/$name/expected-manifest.json"
    "$program" eval "$out/$name" --json --threads 2 >"$out/$name/expected-eval.json"
}

made pictures-head clip-art mobilenetv2_100 --epochs 2
made pictures-norm clip-art mobilenetv2_100 --epochs 1 --thaw bn2 --seed 1
made texts-norm sentences.csv all-MiniLM-L6-v2 --epochs 1 --thaw encoder.layer.5.output.LayerNorm --seed 3
for name in pictures-head pictures-norm; do
    "$program" predict "$FROSTLINE_HOME/$name" assets/samples/clip-art/fish --top 10 --json --threads 2 |
        sed "s|assets/samples/clip-art/||" >"$out/$name/expected-answers.jsonl"
done
"$program" predict "$FROSTLINE_HOME/texts-norm" --text "When was Mozart born?" --text "How do fish breathe?" \
    --top 10 --json --threads 2 >"$out/texts-norm/expected-answers.jsonl"

# A training that was stopped after its 20th step, and how it ended when it went on.
rm -rf "$out/stopped"
"$program" new --data assets/samples/clip-art --backbone mobilenetv2_100 --out "$out/stopped" --epochs 3 --thaw bn2 \
    --seed 5 >/dev/null
python3 - "$program" "$out/stopped" <<'PY'
import json, signal, subprocess, sys
process = subprocess.Popen([sys.argv[1], "train", sys.argv[2], "--json", "--threads", "2"], stdout=subprocess.PIPE, text=True)
for line in process.stdout:
    event = json.loads(line)
    if event["event"] == "step" and (event["epoch"], event["step"]) == (1, 20):
        process.send_signal(signal.SIGINT)
PY
cp -r "$out/stopped" "$out/resumed"
"$program" train "$out/resumed" --resume --json --threads 2 | tail -1 >"$out/stopped/expected-end.json"
rm -rf "$out/resumed" "$out"/*/cache "$out"/*/.lock "$FROSTLINE_HOME"
