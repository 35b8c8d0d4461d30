#!/usr/bin/env bash
# Formats all C++ files in place; with --check only names those that would change, and fails if there are any, or if a line of Markdown, but for tables
# and addresses, is longer than 100 characters.
#   scripts/format.sh [--check]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run -Werror)
find src include examples bench fuzz -name '*.cc' -print0 -o -name '*.h' -print0 | xargs -0 clang-format "${mode[@]}"
[ "${1:-}" != --check ] || git ls-files -z '*.md' | xargs -0 python3 -c '
import sys
long = [f"{file}:{number}: more than 100 characters" for file in sys.argv[1:] for number, line in enumerate(open(file, encoding="utf-8"), 1)
        if len(line) > 101 and line[0] != "|" and "://" not in line]
sys.exit("\n".join(long) or 0)'
