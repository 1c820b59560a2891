#!/usr/bin/env bash
# Builds Frostline with --features cuda from nothing, without a GPU, a driver or NVIDIA's toolkit: the compiler comes as
# wheels from PyPI, and stubs stand for the libraries of the driver while the program is linked.
#
#     tests/gpu/build.sh [--program-only]
#
# Leaves `release/frostline` in the target folder, and where not told otherwise the test program of tests/engine and the
# bench of steps beside it; their paths are written to `gpu/programs`, which `tests/gpu/run.sh pack` reads. By hand and
# nightly, no part of check.sh: it takes some ten minutes of a processor more than the same build without CUDA.
#
# CUDA_COMPUTE_CAP is the oldest architecture that shall run the program (80, Ampere, where not set): the driver compiles
# the kernels for newer ones when it loads them. FROSTLINE_GPU_PYTHON names a Python with venv.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
# shellcheck source=.ci/prepare.sh
. .ci/prepare.sh

# The kernels are embedded as PTX, which a driver refuses that is older than the compiler: 13.0 runs from driver 580 on.
wheels=(
    nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35
)
target=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")
work=$target/gpu
toolkit=$work/toolkit
python=${FROSTLINE_GPU_PYTHON:-python3}

# NAME SONAME MODULE: a library with every function that cudarc names in a module, empty, for the linker alone.
stub() {
    grep -ohE '\bfn (cu|nvrtc)[A-Za-z0-9_]+\(' "$cudarc/$3/sys/mod.rs" | sed 's/fn \(.*\)(/void \1(void) {}/' | sort -u |
        gcc -shared -fPIC -x c - -Wl,-soname,"$2" -o "$toolkit/lib64/stubs/lib$1.so"
}

# One folder that looks like an installed toolkit to the build scripts.
make_toolkit() {
    local wheels_folder folder library
    wheels_folder=$("$work/venv/bin/python" -c 'import nvidia; print(list(nvidia.__path__)[0])')/cu13
    mkdir -p "$toolkit/lib64/stubs"
    for folder in bin include nvvm; do ln -sfn "$wheels_folder/$folder" "$toolkit/$folder"; done
    for library in "$wheels_folder"/lib/lib*; do ln -sfn "$library" "$toolkit/lib64/"; done
    ln -sfn libcudart.so.13 "$toolkit/lib64/libcudart.so"
    ln -sfn libcurand.so.10 "$toolkit/lib64/libcurand.so"
    ln -sfn lib64 "$toolkit/lib"
    stub cuda libcuda.so.1 driver
    stub cublas libcublas.so.13 cublas
    stub cublasLt libcublasLt.so.13 cublaslt
    stub nvrtc libnvrtc.so.13 nvrtc
}

# build TARGET..: builds and prints the paths of the programs. All in one run of cargo: tests and benches bring features
# of other crates with them, and everything would be compiled twice.
build() {
    cargo build --release --locked --features cuda "$@" --message-format=json-render-diagnostics | "$python" -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message.get("executable"):
        print(message["executable"])'
}

# answers CODE WORDS: the program under a driver that gives CODE instead of a device must end with exit code 2 and say so.
answers() {
    local fake=$work/driver found=0 said
    mkdir -p "$fake"
    sed 's/fn \(.*\)(/int \1(void) { return '"$1"'; }/' "$work/driver-functions" |
        gcc -shared -fPIC -x c - -Wl,-soname,libcuda.so.1 -o "$fake/libcuda.so.1"
    for library in cublas cublasLt nvrtc; do ln -sfn "$toolkit/lib64/stubs/lib$library.so" "$fake/lib$library.so.13"; done
    said=$(LD_LIBRARY_PATH=$fake:$toolkit/lib64 "$program" predict "$fake" --text x --device cuda 2>&1) || found=$?
    if [ "$found" -ne 2 ] || ! grep -q -- "$2" <<<"$said" || grep -q -- "--features" <<<"$said"; then
        fail 1 "exit code $found under a driver that answers $1" "expected 2 and the words: $2" "$said"
    fi
    echo "under a driver that answers $1: $(grep 'try:' <<<"$said")"
}

heading "What the build needs"
need_rust
need_tools
"$python" -c 'import venv' 2>/dev/null || fail 1 "$python has no venv" "On Debian: apt-get install python3-venv"
[ -x "$work/venv/bin/pip" ] || "$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "${wheels[@]}"
cargo fetch --locked --quiet
cudarc=$(cargo metadata --locked --format-version 1 --features cuda | "$python" -c 'import json, os, sys
found = [p for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"]
print(os.path.join(os.path.dirname(found[0]["manifest_path"]), "src"))')
make_toolkit
export CUDA_HOME=$toolkit CUDA_PATH=$toolkit PATH=$toolkit/bin:$PATH CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
# Only the kernels for quantised weights, which Frostline does not use, take long; this spares ten minutes each.
export NVCC_APPEND_FLAGS=${NVCC_APPEND_FLAGS:--Ofc max}

heading "Build"
targets=(--bin frostline)
[ "${1:-}" = --program-only ] || targets+=(--test engine --bench steps)
build "${targets[@]}" >"$work/programs"
program=$(grep '/frostline$' "$work/programs")
cat "$work/programs"

heading "Answers without a device"
grep -ohE '\bfn cu[A-Za-z0-9_]+\(' "$cudarc/driver/sys/mod.rs" | sort -u >"$work/driver-functions"
# 100 is CUDA_ERROR_NO_DEVICE, 803 CUDA_ERROR_SYSTEM_DRIVER_MISMATCH.
answers 100 nvidia-smi
answers 803 "install a driver"
