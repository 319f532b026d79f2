#!/bin/sh
# Build sdist and wheel (the wheel from the sdist), check them, install the wheel where nothing else is, with the current
# versions of what it needs, as a user would, and track there.
set -eu
python=${PYTHON:-python3.11}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
echo "building sdist and wheel"
"$python" -m build --outdir dist >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$python" -m twine check --strict dist/*
"$python" - dist/*.whl <<'PYTHON'
import pathlib
import sys
import zipfile

packed = set(zipfile.ZipFile(sys.argv[1]).namelist())
kinds = {".py", ".pyi", ".typed", ".js", ".json", ".css", ".onnx", ".md"}
missing = {path.as_posix() for path in pathlib.Path("fairmot_lab").rglob("*") if path.suffix in kinds} - packed
assert not missing, sorted(missing)
PYTHON
echo "installing the wheel with all that it needs"
"$python" -m venv "$work/env"
"$work/env/bin/pip" install --quiet --no-compile dist/*.whl
"$work/env/bin/pip" check
"$work/env/bin/pip" list | grep -iE "^(numpy|pandas|opencv-python|onnxruntime|numba|av|matplotlib) "
(cd "$work" && env/bin/fairmot-lab demo --frames 10 --no-video --quiet >demo.log) || { cat "$work/demo.log"; exit 1; }
test -s "$work/outputs/demo-0.txt"
du -sk dist/*.whl "$work/env" | awk '$2 ~ /(whl|env)$/ {printf "%.1f MB %s\n", $1 / 1024, $2 ~ /whl$/ ? $2 : "installed, with all that it needs"}'
