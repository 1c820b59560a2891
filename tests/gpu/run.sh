#!/usr/bin/env bash
# What a GPU does with Frostline: losses beside the CPU's, the tests of the engine, steps beside PyTorch's.
#
#     tests/gpu/run.sh pack                 # here, after tests/gpu/build.sh
#     tests/gpu/run.sh try PROGRAMS [PART]  # on the machine with the GPU, in a copy of the source tree
#
# `pack` writes `gpu/programs.tar.xz` in the target folder: the programs without their symbols. The machine with the GPU
# needs the source tree, that file, Python, and CUDA's libraries as PyTorch or a toolkit brings them; no Rust and no
# network. `try` takes FROSTLINE_GPU_SECONDS at most (360), each part having a limit of its own, and prints tables for
# README.md beside this file; OUT names a folder for the logs. A part is one of: device tests losses answers steps profile
# peers.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
python=${PYTHON:-python3}
jobs=(resnet50-full resnet50-forward mobilenetv2-full minilm-full minilm-full-dropout minilm-forward)

pack() {
    local work folder path name
    work=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")/gpu
    folder=$work/pack
    rm -rf -- "$folder"
    mkdir -p "$folder"
    while read -r path; do
        # cargo's hash behind the name: engine-0123456789abcdef
        name=$(basename -- "$path" | sed 's/-[0-9a-f]\{16\}$//')
        strip -o "$folder/$name" "$path"
    done <"$work/programs"
    gcc -shared -fPIC -O2 tests/gpu/profile.c -o "$folder/profile.so" -ldl
    # One stream with a window over all of it: the programs share their kernels.
    tar -C "$folder" -cf - . | xz -T1 --lzma2=preset=3,dict=384MiB >"$work/programs.tar.xz"
    ls -l "$work/programs.tar.xz"
}

# limit SECONDS: as many, or what is left of the whole time, at least one.
limit() {
    local left=$((whole - SECONDS))
    [ "$left" -ge 1 ] || left=1
    echo $((left < $1 ? left : $1))
}

# part SECONDS NAME COMMAND..: one part of the whole, which goes on where a part fails or takes too long.
part() {
    local limit name=$2 began=$SECONDS code=0
    limit=$(limit "$1")
    shift 2
    timeout "$limit" "$@" || code=$?
    echo "$name: exit code $code after $((SECONDS - began)) s" >&3
    [ "$code" -eq 0 ] || failed+=("$name")
}

device() {
    printf '\n== The machine\n'
    date -u +%F
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
    grep -m 1 'model name' /proc/cpuinfo
    echo "$(nproc) cores"
    "$python" -c 'import torch; print("torch", torch.__version__)' || echo "no torch"
    if ldd "$programs/frostline" | grep 'not found'; then
        echo "failed: CUDA's libraries are not in LD_LIBRARY_PATH" >&2
        exit 1
    fi
    # The driver is there, and no device may be used.
    local code=0
    CUDA_VISIBLE_DEVICES='' "$programs/frostline" predict "$work" --text x --device cuda 2>&1 || code=$?
    echo "without a device: exit code $code, 2 is right"
}

# Not those that read the source code.
tests() {
    printf '\n== Tests of the engine on the GPU\n'
    part 150 "engine" env FROSTLINE_TEST_DEVICE=cuda CARGO_MANIFEST_DIR="$PWD" \
        "$programs/engine" --skip architecture:: --test-threads 4
}

# train NAME BACKBONE DATA OPTION..: one recipe on both, then what their losses say.
train() {
    local name=$1 backbone=$2 data=$3 device
    shift 3
    for device in cpu cuda; do
        "$programs/frostline" new --backbone "$backbone" --data "$FROSTLINE_ASSETS/samples/$data" --seed 1 \
            --out "$work/$name-$device" "$@" >"$out/$name-$device.new" 2>&1 &&
            part 60 "$name on $device" "$programs/frostline" train "$work/$name-$device" --json --device "$device" \
                >"$out/$name-$device.jsonl" 2>"$out/$name-$device.log"
        tail -n 3 "$out/$name-$device.log" || true
    done
    part 10 "$name" "$python" tests/gpu/tables.py losses "$name" "$out/$name-cpu.jsonl" "$out/$name-cuda.jsonl"
}

losses() {
    printf '\n== The same recipe on the CPU and on the GPU\n'
    train images-head mobilenetv2_100 clip-art --epochs 3
    train images-last-stage mobilenetv2_100 clip-art --epochs 3 --thaw 'blocks.6*' --thaw conv_head --thaw bn2
    train images-everything mobilenetv2_100 clip-art --epochs 2 --thaw '*'
    # How far rounding alone leads: the same on the CPU with another number of threads, and so another order of sums.
    cp -r "$work/images-everything-cpu" "$work/images-everything-threads"
    part 60 "images-everything with 4 threads" "$programs/frostline" train "$work/images-everything-threads" --json \
        --threads 4 >"$out/images-everything-threads.jsonl" 2>"$out/images-everything-threads.log"
    part 10 "images-everything with 4 threads" "$python" tests/gpu/tables.py losses "images-everything, all threads and 4" \
        "$out/images-everything-cpu.jsonl" "$out/images-everything-threads.jsonl"
    if [ -e "$FROSTLINE_ASSETS/backbones/all-MiniLM-L6-v2/model.safetensors" ]; then
        train texts-last-two all-MiniLM-L6-v2 sentences.csv --epochs 2 --text-column text --label-column label \
            --thaw 'encoder.layer.4*' --thaw 'encoder.layer.5*'
    else
        echo "texts: left out, the weights of MiniLM are not here"
    fi
}

# What the export of a training on the GPU answers there and on the CPU.
answers() {
    printf '\n== Answers of an export\n'
    local device
    "$programs/frostline" export "$work/images-last-stage-cuda" --out "$work/export" || return 0
    for device in cpu cuda; do
        part 30 "answers on $device" "$programs/frostline" predict "$work/export" "$FROSTLINE_ASSETS/samples/clip-art" \
            --json --device "$device" >"$out/answers-$device.jsonl"
    done
    part 10 "answers" "$python" tests/gpu/tables.py answers "$out/answers-cpu.jsonl" "$out/answers-cuda.jsonl"
}

# step NAME SECONDS COMMAND..: the times of a job, in milliseconds.
step() {
    local name=$1 limit
    limit=$(limit "$2")
    shift 2
    echo "== $name" >>"$out/steps.log"
    timeout "$limit" "$@" >"$out/step.json" 2>>"$out/steps.log" || true
    cat "$out/step.json" >>"$out/steps.log"
    "$python" tests/gpu/tables.py step "$name" "$out/step.json" || { failed+=("$name"); tail -n 3 "$out/steps.log"; }
}

steps_table() {
    printf '\n== Milliseconds of a step on the GPU%s; batch of 16, f32 without TF32 where not said\n' "$1"
    printf '| job | median | least | most |\n|---|--:|--:|--:|\n'
}

steps() {
    steps_table ""
    local job
    for job in "${jobs[@]}"; do
        step "$job" 20 "$programs/steps" "$job" --device cuda --steps 20 --threads 8
    done
}

peers() {
    steps_table ", PyTorch"
    "$python" -c 'import torch, timm, transformers' 2>/dev/null || { echo "PyTorch, timm or transformers is not here"; return 0; }
    local job peer=("$python" benches/peers/steps.py --device cuda --steps 20)
    for job in "${jobs[@]}"; do
        step "$job, eager" 30 "${peer[@]}" "$job"
    done
    for job in resnet50-full minilm-full; do
        step "$job, compiled" 60 "${peer[@]}" "$job" --compile
    done
    step "resnet50-full, eager, channels last, TF32" 30 "${peer[@]}" resnet50-full --tf32 --layout channels_last
    step "minilm-full, eager, TF32" 30 "${peer[@]}" minilm-full --tf32
}

profile() {
    printf '\n== Which kernels take the time (of ten steps, each call waited for)\n'
    local job
    for job in resnet50-full resnet50-forward minilm-full; do
        echo "$job"
        LD_PRELOAD=$programs/profile.so timeout "$(limit 25)" "$programs/steps" "$job" --device cuda --steps 8 --threads 8 || true
    done
}

case ${1:-} in
    pack) pack ;;
    try)
        archive=$(realpath -- "$2")
        work=$(mktemp -d -t frostline-gpu.XXXXXX)
        programs=$work/programs
        out=${OUT:-$work/logs}
        mkdir -p "$programs" "$out"
        "$python" -W ignore -m tarfile -e "$archive" "$programs"
        chmod +x "$programs"/*
        libraries=$("$python" -c 'import nvidia, os; print(os.path.join(list(nvidia.__path__)[0], "cu13", "lib"))' 2>/dev/null || true)
        export LD_LIBRARY_PATH=$libraries:/usr/local/cuda/lib64:/usr/local/nvidia/lib64:${LD_LIBRARY_PATH:-}
        export FROSTLINE_ASSETS=${FROSTLINE_ASSETS:-$PWD/assets} FROSTLINE_HOME=$work/home
        exec 3>&1 </dev/null
        whole=${FROSTLINE_GPU_SECONDS:-360} failed=()
        shift 2
        [ $# -gt 0 ] || set -- device tests losses answers steps profile peers
        for each; do "$each"; done
        printf '\nin all %d s; failed: %s\n' "$SECONDS" "${failed[*]:-nothing}"
        ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
