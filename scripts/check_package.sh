#!/bin/sh
# Build wheel and sdist, check them, install each into an environment of its own, and track the demo there.
set -eu
python=${PYTHON:-python3.11}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
"$python" -m build --outdir dist >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$python" -m twine check --strict dist/*
"$python" -c "
import glob, zipfile
names = zipfile.ZipFile(glob.glob('dist/*.whl')[0]).namelist()
wanted = ['lite/weights/fairmot_lite.onnx', 'widgets/static/player.js', 'py.typed', '__init__.pyi']
missing = [name for name in wanted if 'fairmot_lab/' + name not in names]
assert not missing, missing
"
constraints=$(pwd)/constraints.txt
for package in dist/*.whl dist/*.tar.gz; do
    "$python" -m venv "$work/env"
    "$work/env/bin/pip" install --quiet -c "$constraints" "$package"
    "$work/env/bin/pip" check
    (cd "$work" && env/bin/fairmot-lab demo --frames 30 --no-video --quiet)
    du -sm "$work/env" | awk -v name="$package" '{print name ": installed with all it needs, " $1 " MB"}'
    rm -rf "$work/env" "$work/data" "$work/outputs"
done
