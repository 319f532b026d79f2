#!/bin/sh
# Check the types and the format of the widgets' JavaScript, where node and the npm registry can be had.
set -eu
modules=fairmot_lab/widgets/static
if ! npx --yes --package typescript@5 tsc --version >/dev/null 2>&1; then
    echo "no node, or no npm registry: the JavaScript of the widgets was not checked"
    exit 0
fi
npx --yes --package typescript@5 tsc --project "$modules/jsconfig.json"
npx --yes --package prettier@3 prettier --print-width 120 --log-level warn --check "$modules/*.js"
