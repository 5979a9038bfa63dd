#!/usr/bin/env bash
# Times ops and whole models on this machine and writes benchmarks/results/<machine>/<date>.jsonl and .md.
# About seven minutes on two cores. With "training" behind the machine: whole training steps alone, three minutes, <date>-training.
# Usage: benchmarks/run.sh MACHINE [training]
set -euo pipefail
cd "$(dirname "$0")/.."
machine=${1:?usage: benchmarks/run.sh MACHINE [training] (a short name, such as epyc-avx2-2core)}
set=${2:-}
[ -z "$set" ] || [ "$set" = training ] || { echo "$set: expected training, or nothing" >&2; exit 2; }
page=$(date -u +%F)${set:+-$set}
folder=benchmarks/results/$machine
mkdir -p "$folder"
. benchmarks/common.sh

ops=(gemm:1x4096x1024 gemm:8x4096x1024 gemm:64x4096x1024 gemm:576x4096x1024 gemm:2048x4096x1024
    conv:128-128-3@256x256 conv:256-256-3@128x128 conv:256-256-3@64x64 conv:512-512-3@16x16 conv:128-3-3@256x256 attention:8)
: > "$folder/$page.jsonl"
if [ "$set" = training ]; then
    "${clipgen[@]}" bench train_gpt:1 --repeat 5 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench train_vqgan:1 --repeat 3 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench train_shapes_clip:128 train_shapes_vqgan:8 train_shapes_gpt:16 --repeat 9 --json >> "$folder/$page.jsonl"
else
    "${clipgen[@]}" bench "${ops[@]}" --threads 1 --repeat 15 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench "${ops[@]}" --repeat 15 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench clip_text:1 clip_image:8 vqgan_encode:1 vqgan_decode:1 --repeat 7 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench gpt_decode:1 gpt_decode:8 --repeat 3 --json >> "$folder/$page.jsonl"
    "${clipgen[@]}" bench generate:8 --repeat 1 --json >> "$folder/$page.jsonl"
fi
{
    echo "# $machine, $page"
    echo
    echo "Written by \`benchmarks/run.sh $machine${set:+ $set}\` at commit $(git rev-parse --short HEAD), .NET $(dotnet --version). One row: \`clipgen bench CASE\`."
    echo
    print_peaks
    echo
    "${tables[@]}" table "$folder/$page.jsonl"
} > "$folder/$page.md"
echo "$folder/$page.md" >&2
