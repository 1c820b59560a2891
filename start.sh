#!/usr/bin/env bash
# Builds Frostline and opens its window. Where there is no display it does the main job once on the bundled pictures:
# a project, a training, an export, a prediction.
# What is there already is used again. The result lies in $FROSTLINE_DEMO, else in ~/frostline-demo.
set -euo pipefail
# A relative folder counts from where the command was given.
case ${FROSTLINE_DEMO:-} in
    "" | /*) ;;
    *) export FROSTLINE_DEMO=${PWD%/}/$FROSTLINE_DEMO ;;
esac
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source=.ci/prepare.sh
. .ci/prepare.sh

build() {
    heading "Build"
    echo "cargo build --release --locked (the first time takes minutes)"
    cargo build --release --locked || fail 1 "the build; the compiler's words stand above" \
        "Without a network, crates cannot be fetched: connect and run $0 again." \
        "A full disk (about 1 GB is needed) or too little memory ends it too." \
        "For anything else please report the lines above."
    local target
    target=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    program=$target/release/frostline
}

# Runs the program; a failure ends the script with the program's exit code.
frostline() {
    local code=0
    echo "\$ frostline $*"
    "$program" "$@" || code=$?
    case $code in
        0) ;;
        130) fail 130 "stopped by you" "Nothing is lost: run ./start.sh again to go on." ;;
        *) fail "$code" "frostline $1; its own words stand above" \
            "To begin afresh, remove or rename $demo, or choose another folder: FROSTLINE_DEMO=FOLDER ./start.sh" ;;
    esac
}

# newest_state PROJECT: finished, an unfinished state, or nothing where there is no run.
newest_state() {
    "$program" runs "$1" --json | sed -n 's/.*"state":"\([a-z]*\)".*/\1/p' | tail -n 1
}

main_job() {
    local pictures=$PWD/assets/samples/clip-art
    local project=$demo/clip-art export=$demo/clip-art-head
    heading "From a folder of pictures to a trained classifier"
    mkdir -p "$demo" || fail 1 "the folder $demo cannot be made" "Choose another: FROSTLINE_DEMO=FOLDER ./start.sh"
    if [ -e "$export/manifest.json" ]; then
        echo "The export is there already and is used again: $export"
    else
        if [ -e "$project/recipe.toml" ]; then
            echo "The project is there already and is used again: $project"
        else
            frostline new --data "$pictures" --backbone mobilenetv2_100 --epochs 10 --out "$project"
        fi
        case $(newest_state "$project") in
            finished) echo "Its training has finished already." ;;
            "") frostline train "$project" ;;
            *) frostline train "$project" --resume ;;
        esac
        frostline export "$project" --out "$export"
    fi
    # Three pictures that the split with the default seed keeps out of the training.
    frostline predict "$export" "$pictures/bugs/scorpion-md-v0.1.jpg" "$pictures/music/cello_ganson.jpg" \
        "$pictures/fruit/peach_simple.jpg"

    heading "Done"
    echo "The project:  $project"
    echo "The export:   $export"
    echo "The program:  $program"
    echo "Your own pictures: one folder for each class, then"
    echo "    $program new --data FOLDER --backbone mobilenetv2_100 --out PROJECT"
    echo "    $program train PROJECT"
}

leave_root "$@"
demo=${FROSTLINE_DEMO:-$HOME/frostline-demo}
heading "What the build needs"
need_rust
need_tools
build
if has_display; then
    heading "Opening the window"
    echo "\$ $program"
    exec "$program"
fi
main_job
