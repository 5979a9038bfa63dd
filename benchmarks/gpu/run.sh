#!/usr/bin/env bash
# Everything that wants a card, in one go: run.sh RESULTS [DEVICE [SECONDS]]
# Correctness first (selftest), then timings of ours and of PyTorch on the same card, then a table. Each part has its own time limit; one that fails or runs out is named in the table, and the others still run.
# DEVICE is cuda unless given; cpu runs the same script small, to try it out. SECONDS, 540 unless given, are what all of it may take.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
results=${1:?"run.sh RESULTS [cuda|cuda:N|cpu [SECONDS]]"}
device=${2:-cuda}
deadline=$((SECONDS + ${3:-540}))
mkdir -p "$results"
results=$(cd "$results" && pwd)
clipgen=$here/bin/clipgen
notes=$results/notes.txt
{ date -u +%FT%TZ; sed 's/^/commit /' "$here/commit"; command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader; } >"$notes"

part() { # seconds, name, command...
    local limit=$1 name=$2 code left=$((deadline - SECONDS))
    shift 2
    if [ $left -lt 3 ]; then echo "$name: no time left" | tee -a "$notes" >&2; return 1; fi
    local start=$SECONDS
    timeout -k 2 $((limit < left ? limit : left)) "$@"
    code=$?
    [ $code -eq 0 ] || echo "$name: exit code $code after $((SECONDS - start)) s (limit $limit s)" | tee -a "$notes" >&2
    return $code
}

bench() { # seconds, repeats, cases and options...
    local limit=$1 repeats=$2
    shift 2
    part "$limit" "bench $*" "$clipgen" bench "$@" --device "$device" --repeat "$repeats" --json --quiet >>"$results/bench.jsonl"
}

part 30 devices "$clipgen" devices --json >"$results/devices.json"
: >"$results/bench.jsonl"
: >"$results/peer.jsonl"
if [ "${device%%:*}" = cuda ]; then
    products=(gemm:576x1024x1024 gemm:576x3072x1024 gemm:576x4096x1024 gemm:2048x4096x1024 gemm:8192x4096x1024 gemm:4096x4096x4096 gemm:8192x8192x8192)
    ops=(conv:128-128-3@256x256 conv:256-256-3@64x64 conv:512-512-3@16x16 attention:8 attention:64)
    models=(vqgan_decode:1 vqgan_encode:1 clip_image:8 clip_text:8)
    part 60 selftest "$clipgen" selftest --device "$device" --repeat 3 --json --quiet >"$results/selftest.json"
    correct=$?
    part 40 "selftest --amp" "$clipgen" selftest --device "$device" --amp --repeat 3 --json --quiet >"$results/selftest-amp.json" || correct=1
    bench 40 7 "${products[@]}" "${ops[@]}" --amp
    bench 20 5 train_gpt:4 --amp
    bench 20 5 train_vqgan:1 --amp
    bench 40 1 generate:64 --amp
    bench 20 5 "${models[@]}" --amp
    bench 25 3 gpt_decode:1 gpt_decode:8
    bench 40 5 gemm:8x4096x1024 gemm:64x4096x1024 gemm:576x4096x1024 gemm:4096x4096x4096 "${ops[@]}"
    bench 20 3 "${models[@]}"
    peer=("${products[@]}" gemm:8x4096x1024 gemm:64x4096x1024 "${ops[@]}" train_gpt:4 train_vqgan:1 "${models[@]}" gpt_decode:1 generate:64 gpt_decode:8 --compile train_gpt:4,vqgan_decode:1)
else
    part 60 selftest "$clipgen" selftest --device "$device" --repeat 2 --filter LayerNorm --json --quiet >"$results/selftest.json"
    correct=$?
    bench 60 5 gemm:64x64x64 conv:8-8-3@16x16 attention:1
    peer=(gemm:64x64x64 conv:8-8-3@16x16 attention:1)
fi
if command -v python3 >/dev/null; then
    part 540 peer python3 "$here/peer.py" --device "${device%%:*}" "${peer[@]}" >>"$results/peer.jsonl"
    python3 "$here/table.py" "$results" >"$results/table.md" && cat "$results/table.md"
fi
exit $correct
