#!/usr/bin/env bash
# Stops what tests/real/up.sh started in a folder, and only that; returns when it has ended.
#
#   tests/real/down.sh FOLDER [NAME…]     NAME: a file of FOLDER/pids such as apiserver-hub; all when none is given.
#                                         up.sh starts again what is missing, on the same ports with the same data.
set -u
[ $# -ge 1 ] || { echo "usage: down.sh FOLDER [NAME…]" >&2; exit 2; }
folder=$1
shift
if [ $# -gt 0 ]; then files=("${@/#/$folder/pids/}"); else files=("$folder"/pids/*); fi

pids=()
for file in "${files[@]}"; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  kill "$pid" 2>/dev/null && pids+=("$pid")
  rm -f "$file"
done
[ ${#pids[@]} -gt 0 ] || exit 0
# An API server lets requests finish for up to a minute; nothing here is worth that.
for _ in $(seq 30); do
  kill -0 "${pids[@]}" 2>/dev/null || exit 0
  sleep 0.1
done
kill -9 "${pids[@]}" 2>/dev/null
exit 0
