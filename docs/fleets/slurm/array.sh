#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# One task of an array for each line of a file, each in a workspace of its own.
#
#   sbatch --array=1-100 array.sh RESULTS TASKS TEMPLATE
#
# RESULTS is a directory outside of the workspaces; TASKS has one command line on
# each line; TEMPLATE is a directory of which each task gets a copy. A task whose
# node is lost is started again, in a new copy.
#
#SBATCH --job-name=tasks
#SBATCH --ntasks=1
#SBATCH --requeue

set -eu
attempt=$SLURM_ARRAY_TASK_ID.${SLURM_RESTART_COUNT:-0}
workspace=$1/workspaces/$attempt
command=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$2")
mkdir -p "$1/workspaces"
mkdir "$workspace" # RESULTS of an earlier array is an error
cp -R "$3/." "$workspace"
cd "$workspace"
# exec makes slurmstepd the parent that --with-parent ends with.
exec caisson run --with-parent --result "$1/$attempt.json" -- sh -c "$command"
