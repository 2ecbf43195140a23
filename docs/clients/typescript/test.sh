# SPDX-License-Identifier: Apache-2.0
# test.sh MODULES: compiles the client and runs its tests with the packages of a
# directory, which the client itself does not need.
ln -s "$1" node_modules
node node_modules/typescript/bin/tsc -p .
node --test dist/test/*.test.js
