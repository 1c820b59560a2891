#!/usr/bin/env bash
# The whole job in the real window: real mouse and keyboard (xdotool), real drops from another program (xdnd.py), under
# an X server of its own. Checks what lies on disk after each step and that the export answers as the window did, then
# leaves the README's pictures in screenshots/.
#
#     tests/desktop/run.sh [PROGRAM]
#
# PROGRAM is target/release/frostline where not said; build it first. Needs Linux with Xvfb, xdotool, ImageMagick, D-Bus,
# AT-SPI and Python with its bindings; on Debian what is missing is installed through apt. Widgets are found by the names
# that the window gives to screen readers, not by coordinates. No part of `cargo test`: that needs no display.
set -euo pipefail

# The script calls itself again, each time with one thing more around it: another home, then a display.
case ${1:-} in
    --with-home)
        work=$2
        # The pictures show paths: those of a user named ada, wherever this is run.
        mount -t tmpfs tmpfs /home
        mkdir /home/ada
        mount --bind "$work/home" /home/ada
        export HOME=/home/ada
        exec "$work/tests/run.sh" --with-display "$work"
        ;;
    --with-display)
        work=$2
        cd "$HOME"
        # Without -noreset the server starts afresh, and refuses whoever comes then, when its only client leaves.
        Xvfb -displayfd 3 -noreset -screen 0 1280x800x24 -nolisten tcp 3>"$work/display" >"$work/pictures/xvfb.log" 2>&1 &
        server=$!
        trap 'kill "$server"' EXIT
        for ((tries = 0; tries < 100; tries++)); do
            read -r number <"$work/display" && break
            sleep 0.1
        done
        [ -n "${number:-}" ] || { echo "failed: Xvfb gives no display: $work/pictures/xvfb.log" >&2; exit 1; }
        DISPLAY=:$number
        export DISPLAY FROSTLINE_ASSETS=$HOME/frostline/assets
        unset FROSTLINE_HOME HF_HOME XDG_DATA_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR WAYLAND_DISPLAY
        # The buses talk a lot; the script's own words go past them.
        # shellcheck disable=SC2016
        dbus-run-session -- bash -c 'exec /usr/bin/python3 "$0" "$@" >&3 2>&4' "$work/tests/drive.py" \
            "$HOME/frostline/frostline" "$HOME" "$work/pictures" 3>&1 4>&2 >"$work/pictures/bus.log" 2>&1
        exit
        ;;
esac

program=${1:+$(realpath -- "$1")}
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
# shellcheck source=.ci/prepare.sh
. .ci/prepare.sh

python_has_bindings() {
    /usr/bin/python3 -c '
import Xlib.display, gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi' 2>/dev/null
}

# Takes the place of the build's list for `need_tools`: what this script needs and does not find.
missing_tools() {
    local pair
    for pair in Xvfb:xvfb xdotool:xdotool import:imagemagick dbus-run-session:dbus-daemon; do
        command -v "${pair%:*}" >/dev/null || echo "${pair%:*}|${pair#*:}"
    done
    [ -e /usr/libexec/at-spi-bus-launcher ] || echo "AT-SPI|at-spi2-core"
    python_has_bindings || echo "Python with its bindings|python3 python3-gi gir1.2-atspi-2.0 python3-xlib"
    missing_window_libraries
}

program=${program:-$PWD/target/release/frostline}
[ -x "$program" ] || fail 1 "there is no program to try" \
    "Build it (cargo build --release --locked) or name it: $0 PROGRAM"
need_tools
work=$(mktemp -d -t frostline-desktop.XXXXXX)
mkdir -p "$work/home/frostline" "$work/pictures"
cp -- "$program" "$work/home/frostline/frostline"
cp -r -- assets "$work/home/frostline/assets"
cp -r -- tests/desktop "$work/tests"

heading "The whole job in the window"
namespace=(unshare --mount)
[ "$(id -u)" -eq 0 ] || namespace=(unshare --mount --user --map-root-user)
code=0
if "${namespace[@]}" mount -t tmpfs tmpfs /home 2>/dev/null; then
    "${namespace[@]}" "$work/tests/run.sh" --with-home "$work" || code=$?
else
    echo "This account may not mount: the pictures will show paths of this machine and are not taken over."
    HOME=$work/home "$work/tests/run.sh" --with-display "$work" || code=$?
    keep=no
fi
[ "$code" -eq 0 ] || fail "$code" "the job in the window; its words stand above" "What was seen: $work/pictures"
if [ "${keep:-yes}" = yes ]; then
    cp -- "$work"/pictures/*-dark.png "$work"/pictures/*-light.png screenshots/
    rm -rf -- "$work"
fi
