#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the programs that tests of real work use. Tests skip, and say so,
# where one is missing.
missing=
for pair in git:git gcc:gcc make:make python3:python3 node:nodejs npm:npm tmux:tmux strace:strace gdb:gdb \
	sqlite3:sqlite3 curl:curl script:util-linux setpriv:util-linux ps:procps ip:iproute2 tar:tar bash:bash flock:util-linux; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing:$missing"
	apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null ||
		echo "could not install:$missing; tests that need it are skipped"
else
	echo "missing:$missing; tests that need it are skipped (as root on Debian, make deps installs it)"
fi
exit 0
