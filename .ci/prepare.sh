# shellcheck shell=bash
# What start.sh and check.sh have in common: a Rust that is new enough and the tools that the build needs.
# Sourced from the top folder of the source tree.

# Containers and services may start without one.
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}

heading() {
    printf '\n== %s\n' "$1"
}

# fail CODE WHAT ADVICE..: says what failed and what to do, then leaves with CODE.
fail() {
    local code=$1
    printf '\nfailed: %s\n' "$2" >&2
    shift 2
    printf '  %s\n' "$@" >&2
    exit "$code"
}

# Started with sudo in a folder of the user who called it: goes on as that user, so that no build product and no
# project ends up owned by root, and the user's own Rust is found. Root is asked again for packages only.
leave_root() {
    if [ "$(id -u)" -ne 0 ] || [ -z "${SUDO_USER:-}" ] || [ "$SUDO_USER" = root ]; then
        return 0
    fi
    if [ "$(stat -c %u .)" != "$SUDO_UID" ]; then
        return 0
    fi
    echo "Started with sudo: going on as $SUDO_USER; root is needed to install packages only."
    exec sudo -H -u "$SUDO_USER" \
        --preserve-env=FROSTLINE_DEMO,FROSTLINE_ASSETS,FROSTLINE_HOME,CARGO_TARGET_DIR,DISPLAY,WAYLAND_DISPLAY,XDG_RUNTIME_DIR \
        "$BASH" "./$(basename -- "$0")" "$@"
}

# version_at_least FOUND WANTED: compares major.minor.
version_at_least() {
    local found_major=${1%%.*} wanted_major=${2%%.*}
    local found_minor=${1#*.} wanted_minor=${2#*.}
    found_minor=${found_minor%%.*}
    wanted_minor=${wanted_minor%%.*}
    [ "$found_major" -gt "$wanted_major" ] ||
        { [ "$found_major" -eq "$wanted_major" ] && [ "$found_minor" -ge "$wanted_minor" ]; }
}

# Finds cargo and rustc, in PATH or where rustup puts them, and checks their version.
need_rust() {
    local wanted rustc_version found="" folder
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    for folder in "" "${CARGO_HOME:-$HOME/.cargo}/bin"; do
        rustc_version=$(PATH="${folder:+$folder:}$PATH" rustc --version 2>/dev/null | cut -d' ' -f2) || continue
        found=${found:-$rustc_version}
        if version_at_least "$rustc_version" "$wanted" && PATH="${folder:+$folder:}$PATH" cargo --version >/dev/null 2>&1; then
            PATH="${folder:+$folder:}$PATH"
            export PATH
            echo "Rust $rustc_version"
            return 0
        fi
    done
    local get=(
        "The official way to get it is https://rustup.rs:"
        "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
        "Where rustup is there already: rustup update stable && rustup default stable"
        "Then run $0 again."
    )
    if [ -n "${SUDO_USER:-}" ] && [ "$(id -u)" -eq 0 ]; then
        get+=("With sudo, root's own Rust is looked for, since this folder is not $SUDO_USER's; start it without sudo,"
            "or in a folder of your own, to use yours.")
    fi
    if [ -n "$found" ]; then
        fail 1 "Rust $wanted or newer is needed; found $found" "${get[@]}"
    fi
    fail 1 "Rust is not installed (or no toolchain is chosen); version $wanted or newer is needed" "${get[@]}"
}

# Can a C program be compiled and linked? Rust links with cc, and some crates contain C.
c_works() {
    local folder result=0
    folder=$(mktemp -d) || return 1
    printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
        cc -x c -o "$folder/probe" - >/dev/null 2>&1 || result=1
    rm -rf "$folder"
    return "$result"
}

# Can cargo check who it talks to when it fetches crates?
certificates_known() {
    [ "$(uname -s)" = Darwin ] || [ -n "${SSL_CERT_FILE:-}${CARGO_HTTP_CAINFO:-}" ] ||
        [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] ||
        [ -e /etc/ssl/ca-bundle.pem ] || [ -e /etc/ssl/cert.pem ]
}

# What the build needs and does not find, as lines "TOOL|PACKAGES OF DEBIAN".
missing_tools() {
    c_works || echo "a C compiler (cc) with the C library's headers|gcc libc6-dev"
    command -v make >/dev/null || echo "make|make"
    command -v cmake >/dev/null || echo "cmake|cmake"
    # The JPEG decoder's fast paths are written for nasm on x86 only.
    case $(uname -m) in
        x86_64 | amd64 | i?86) command -v nasm >/dev/null || echo "nasm|nasm" ;;
    esac
    certificates_known || echo "certificates of the web's authorities|ca-certificates"
    if has_display && [ "$(uname -s)" = Linux ]; then
        missing_window_libraries
    fi
}

# Libraries that the window opens when it starts; the build needs none of them. The same form.
missing_window_libraries() {
    local library
    for library in libX11.so.6:libx11-6 libX11-xcb.so.1:libx11-xcb1 libXcursor.so.1:libxcursor1 libXi.so.6:libxi6 \
        libxkbcommon-x11.so.0:libxkbcommon-x11-0 libGL.so.1:libgl1 libEGL.so.1:libegl1; do
        ldconfig -p 2>/dev/null | grep -F "${library%:*}" >/dev/null || echo "${library%:*} for the window|${library#*:}"
    done
}

has_display() {
    [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Installs what is missing, after saying which; where that cannot be done, says what to ask for.
need_tools() {
    local missing tools packages still
    missing=$(missing_tools)
    if [ -z "$missing" ]; then
        echo "The tools of the build are all there."
        return 0
    fi
    tools=$(cut -d'|' -f1 <<<"$missing" | paste -sd, - | sed 's/,/, /g')
    packages=$(cut -d'|' -f2 <<<"$missing" | paste -sd' ' -)
    echo "Missing: $tools"
    if ! command -v apt-get >/dev/null; then
        fail 1 "the build needs tools that are not here, and this system has no apt-get to install them" \
            "Install with the system's own package manager: $tools" "Then run $0 again."
    fi
    local names
    read -ra names <<<"$packages"
    echo "Installing through apt: $packages"
    if ! as_root apt-get update -qq; then
        cannot_install "$packages" "apt-get update did not work"
    fi
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >/dev/null; then
        cannot_install "$packages" "apt-get install did not work"
    fi
    still=$(missing_tools | cut -d'|' -f1)
    if [ -n "$still" ]; then
        fail 1 "packages were installed, but this is still missing: $still" \
            "Check that it can be found in PATH, then run $0 again."
    fi
}

cannot_install() {
    if [ "$(id -u)" -eq 0 ]; then
        fail 1 "packages could not be installed: $2; apt's own words stand above" \
            "Check the network and /etc/apt/sources.list, or install by hand: apt-get install $1" "Then run $0 again."
    fi
    fail 1 "packages are missing, and this account may not install them (no root, no working sudo)" \
        "Ask whoever looks after this machine to run: apt-get install $1" "Then run $0 again."
}
