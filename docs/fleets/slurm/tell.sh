#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Says of each task what came of it, by its result:
#
#   sh tell.sh RESULTS/*.json
#
#   ran N      the command was started; N is its status, even where that is 125
#   refused    caisson did not start it, and its message says why: no test failed
#   lost       nobody wrote a result: the task was killed from outside

for result; do
	if ! [ -s "$result" ]; then
		say=lost
	elif grep -q '"started":true' "$result"; then
		say="ran $(sed -n 's/.*"exit":{"code":\([0-9]*\).*/\1/p' "$result")"
	else
		say=refused
	fi
	name=${result##*/}
	echo "${name%.json} $say"
done
