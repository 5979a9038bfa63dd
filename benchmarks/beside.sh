#!/usr/bin/env bash
# ClipGen beside another program that times the same models and shapes, in turn: benchmarks/results/MACHINE/DATE-beside.md with ratios, and both programs' lines.
# Usage: benchmarks/beside.sh PEER MACHINE [PART...]
#   PEER     a program that takes CASE --threads N --repeat N and prints JSON lines with case, median_s, peak_rss_mb (see docs/performance.md)
#   MACHINE  a short name, such as xeon-avx512-2core
#   PART     ops, passes (five and three minutes on two cores, three rounds each), decode, training (three minutes each), large (64 pictures: a quarter of an hour); all without one
set -euo pipefail
peer=$(realpath "${1:?usage: benchmarks/beside.sh PEER MACHINE [PART...]}")
machine=${2:?usage: benchmarks/beside.sh PEER MACHINE [PART...]}
parts=("${@:3}")
[ ${#parts[@]} -gt 0 ] || parts=(ops passes decode training large)
for part in "${parts[@]}"; do
    case $part in ops | passes | decode | training | large) ;; *) echo "$part: expected ops, passes, decode, training or large" >&2; exit 2 ;; esac
done
cd "$(dirname "$0")/.."
folder=benchmarks/results/$machine
page=$folder/$(date -u +%F)-beside
mkdir -p "$folder"
. benchmarks/common.sh
threads=$(nproc)
own=$page.jsonl
other=$page-peer.jsonl
: > "$own"
: > "$other"

both() { # arguments of clipgen bench, then --, then the peer's; ours first
    local ours=() theirs=()
    while [ "$1" != -- ]; do ours+=("$1"); shift; done
    shift
    theirs=("$@")
    echo "== ${ours[*]}" >&2
    "${clipgen[@]}" bench "${ours[@]}" --threads "$threads" --json >> "$own"
    "$peer" "${theirs[@]}" --threads "$threads" >> "$other"
}
also() { "$peer" "$@" --threads "$threads" >> "$other"; } # another variant of the peer's

round() { echo "{\"round\":$1}" | tee -a "$own" >> "$other"; }
has() { [[ " ${parts[*]} " == *" $1 "* ]]; }

for n in 1 2 3; do
    round $n
    if has ops; then
        both gemm:1x4096x1024 gemm:8x4096x1024 gemm:64x4096x1024 gemm:576x4096x1024 gemm:2048x4096x1024 --repeat 15 -- gemm --repeat 5
        both conv:128-128-3@256x256 conv:256-256-3@64x64 conv:512-512-3@16x16 --repeat 15 -- conv3x3 --repeat 5
        both attention:8 --repeat 25 -- attention --repeat 7
    fi
    if has passes; then
        both clip_text:1 --repeat 15 -- clip_text --batch 1 --repeat 7
        both clip_image:8 --repeat 7 -- clip_image --batch 8 --repeat 5
        also clip_image --batch 8 --repeat 5 --plain
        both vqgan_encode:1 --repeat 5 -- vqgan_encode --batch 1 --repeat 3 --layout nhwc
        also vqgan_encode --batch 1 --repeat 3 --layout nchw
        both vqgan_decode:1 --repeat 5 -- vqgan_decode --batch 1 --repeat 3 --layout nhwc
        also vqgan_decode --batch 1 --repeat 3 --layout nchw
    fi
done
round 4
if has decode; then
    both vqgan_decode:8 --repeat 3 -- vqgan_decode --batch 8 --repeat 2
    both gpt_decode:1 --repeat 1 -- gpt_decode_kv --batch 1 --repeat 1
    also gpt_decode_kv --batch 1 --repeat 1 --plain
    both gpt_decode:8 --repeat 1 -- gpt_decode_kv --batch 8 --repeat 1
    also gpt_decode_kv --batch 8 --repeat 1 --plain
fi
if has training; then
    both train_gpt:1 --repeat 3 -- train_gpt --batch 1 --repeat 3 --dropout 0.1
    also train_gpt --batch 1 --repeat 3 --dropout 0.1 --plain
    both train_gpt_nodropout:1 --repeat 3 -- train_gpt --batch 1 --repeat 3 --dropout 0
    also train_gpt --batch 1 --repeat 3 --dropout 0 --plain
    both train_vqgan:1 --repeat 3 -- train_vqgan --batch 1 --repeat 3
fi
if has large; then
    both gpt_decode:64 --repeat 1 -- gpt_decode_kv --batch 64 --repeat 1 --plain
    both generate:64 --repeat 1 -- demo --repeat 1
fi
{
    echo "# $machine, $(date -u +%F): beside the peer"
    echo
    echo "Written by \`benchmarks/beside.sh PEER $machine ${parts[*]}\` at commit $(git rev-parse --short HEAD), .NET $(dotnet --version), peer: $("$peer" version). $threads threads, float32. Each case was run by both in turn, in up to three rounds;"
    echo "a figure is a median, a ratio ClipGen's time over that of the peer's fastest variant in that round: below 1, ClipGen is faster."
    echo
    print_peaks
    echo
    "${tables[@]}" beside "$own" "$other"
} > "$page.md"
echo "$page.md" >&2
