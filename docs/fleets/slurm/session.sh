#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# One allocation for one session of an agent, one step for each of its commands.
#
#   sbatch --chdir=WORKSPACE session.sh RESULTS COMMANDS
#
# RESULTS is a directory outside of the workspace. COMMANDS stands for the agent:
# a file with one command line on each line. An agent runs here, outside of the
# sandbox, and does what the loop does.
#
#SBATCH --job-name=session
#SBATCH --ntasks=1
#SBATCH --no-requeue

results=$1
n=0
while IFS= read -r line; do
	n=$((n + 1))
	rm -f "$results/$n.json" # of an earlier session
	# --with-parent: where slurmstepd is killed, so is the command.
	srun --exact --ntasks=1 --input=none --quiet \
		caisson run --with-parent --result "$results/$n.json" -- sh -c "$line" >"$results/$n.out" 2>&1
	status=$?
	# 125 may be the command's own; only the result tells.
	if ! grep -q '"started":true' "$results/$n.json"; then
		echo "command $n was not run, srun said $status: $(cat "$results/$n.out")" >&2
		exit 125
	fi
	echo "command $n: $status"
done <"$2"
