#!/usr/bin/env bash
# One file that runs on a machine with a CUDA driver and nothing else of ours: benchmarks/gpu/clipgen-gpu.tar.xz (ignored by git, under 60 MiB).
# There: tar xf clipgen-gpu.tar.xz && clipgen-gpu/run.sh RESULTS
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=benchmarks/gpu/clipgen-gpu
rm -rf "$bundle" "$bundle.tar.xz"
# Symbols and texts of other languages stay behind; ILGPU reads the program's own code, so nothing may be trimmed from it.
dotnet publish src/ClipGen.Cli -c Release -r linux-x64 --self-contained -p:InvariantGlobalization=true -p:SatelliteResourceLanguages=en -p:DebugType=none -p:GenerateDocumentationFile=false -o "$bundle/bin" --nologo -v quiet
rm -f "$bundle"/bin/*.xml "$bundle"/bin/*.pdb
cp benchmarks/gpu/run.sh benchmarks/gpu/peer.py benchmarks/gpu/table.py "$bundle/"
git rev-parse HEAD >"$bundle/commit"
git diff --quiet HEAD || echo "with changes that are not committed" >>"$bundle/commit"
tar -C benchmarks/gpu -cJf "$bundle.tar.xz" clipgen-gpu
rm -rf "$bundle"
size=$(stat -c %s "$bundle.tar.xz")
echo "$bundle.tar.xz: $((size / 1048576)) MiB"
[ "$size" -lt $((60 * 1048576)) ]
