#!/usr/bin/env bash
# Everything that wants a card, in one go and under ten minutes: run.sh RESULTS [DEVICE]
# Correctness first (selftest), then timings of ours and of PyTorch on the same card, then a table. Each part has its own time limit; one that fails or runs out is named in the table, and the others still run.
# DEVICE is cuda unless given; cpu runs the same script small, to try it out.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
results=${1:?"run.sh RESULTS [cuda|cuda:N|cpu]"}
device=${2:-cuda}
mkdir -p "$results"
results=$(cd "$results" && pwd)
clipgen=$here/bin/clipgen
notes=$results/notes.txt
{ date -u +%FT%TZ; sed 's/^/commit /' "$here/commit"; command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader; } >"$notes"

part() { # seconds, name, command...
    local limit=$1 name=$2 code
    shift 2
    local start=$SECONDS
    timeout -k 5 "$limit" "$@"
    code=$?
    [ $code -eq 0 ] || echo "$name: exit code $code after $((SECONDS - start)) s (limit $limit s)" | tee -a "$notes"
    return $code
}

if [ "${device%%:*}" = cuda ]; then
    cases=(gemm:576x1024x1024 gemm:576x3072x1024 gemm:576x4096x1024 gemm:2048x4096x1024 gemm:8192x4096x1024 gemm:4096x4096x4096 gemm:8192x8192x8192
        conv:128-128-3@256x256 conv:256-256-3@64x64 conv:512-512-3@16x16 attention:8 attention:64
        gpt_decode:1 gpt_decode:8 vqgan_decode:1 vqgan_encode:1 clip_image:8 clip_text:8 train_gpt:4 train_vqgan:1 generate:64)
    selftest=(--repeat 3)
    amp=(gemm:576x4096x1024 gemm:2048x4096x1024 gemm:8192x4096x1024 gemm:4096x4096x4096 gemm:8192x8192x8192 conv:128-128-3@256x256 conv:256-256-3@64x64 conv:512-512-3@16x16 attention:8 attention:64
        vqgan_decode:1 vqgan_encode:1 train_gpt:4 train_vqgan:1)
    seconds=(130 250 130)
else
    cases=(gemm:64x64x64 conv:8-8-3@16x16 attention:1)
    amp=()
    selftest=(--repeat 2 --filter LayerNorm)
    seconds=(60 60 60)
fi

part 30 devices "$clipgen" devices --json >"$results/devices.json"
part "${seconds[0]}" selftest "$clipgen" selftest --device "$device" "${selftest[@]}" --json >"$results/selftest.json"
correct=$?
# Products on tensor cores, once more.
if [ ${#amp[@]} -gt 0 ]; then
    part 50 "selftest --amp" "$clipgen" selftest --device "$device" --amp "${selftest[@]}" --json >"$results/selftest-amp.json" || correct=1
fi
: >"$results/bench.jsonl"
deadline=$((SECONDS + seconds[1]))
bench() { # case, options...
    local left=$((deadline - SECONDS))
    if [ $left -lt 5 ]; then echo "bench: no time left for $*" | tee -a "$notes"; return; fi
    part "$left" "bench $*" "$clipgen" bench "$@" --device "$device" --repeat 5 --json >>"$results/bench.jsonl"
}
for case in ${amp[@]+"${amp[@]}"}; do bench "$case" --amp; done
for case in "${cases[@]}"; do bench "$case"; done
: >"$results/peer.jsonl"
if command -v python3 >/dev/null; then
    part "${seconds[2]}" peer python3 "$here/peer.py" --device "${device%%:*}" "${cases[@]}" >>"$results/peer.jsonl"
    python3 "$here/table.py" "$results" >"$results/table.md" && cat "$results/table.md"
fi
exit $correct
