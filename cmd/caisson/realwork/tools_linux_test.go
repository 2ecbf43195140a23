// SPDX-License-Identifier: Apache-2.0

package realwork

import "testing"

const makefile = `
all: $(patsubst %,out/%,$(shell seq 20))
out/%:
	@mkdir -p out
	@sleep 0.01; echo made $* >$@
test: all
	@cat out/* | sort | uniq | wc -l
fail:
	@exit 3
`

const program = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *add(void *n) { __atomic_add_fetch((int *)n, 1, __ATOMIC_SEQ_CST); return 0; }
int twice(int n) { return 2 * n; }
int main(int argc, char **argv) {
	pthread_t t[8]; int n = 0;
	for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, add, &n);
	for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
	if (fork() == 0) _exit(7);
	int status; wait(&status);
	printf("%d %d %d\n", n, WEXITSTATUS(status), twice(argc));
	return argc == 1 ? 0 : abort(), 0;
}
`

func TestTools(t *testing.T) {
	t.Parallel()
	runRows(t, []row{
		{name: "make -j", needs: []string{"make"}, setup: "cat >Makefile <<'E'" + makefile + "E\n", steps: []string{
			"make -j4; make -j4 test; make -n", "make fail", "rm out/7; make -n; make; make -q out/7",
		}, fails: []int{2}},
		{name: "gcc", needs: []string{"gcc"}, setup: "cat >p.c <<'E'" + program + "E\n", steps: []string{
			"gcc -g -O1 -pthread -o p p.c; ./p; gcc -c -fPIC p.c && ar rcs libp.a p.o && nm libp.a | grep -c ' T '", "ulimit -c 0; ./p x",
		}, fails: []int{2}, ignore: `^(p|p\.o|libp\.a)$`},
		{name: "gdb", needs: []string{"gdb", "gcc"}, setup: "cat >p.c <<'E'" + program + "E\ngcc -g -pthread -o p p.c", steps: []string{
			"gdb -nx -batch -ex 'break twice' -ex run -ex bt -ex 'print n' -ex finish -ex kill ./p 2>&1 | grep -v -i 'thread\\|warning\\|debuginfod' | grep '^#\\|^\\$\\|^Value'",
			"gdb -nx -batch -ex run -ex bt --args ./p x 2>&1 | grep -o 'SIGABRT' | head -1",
		}, mask: []string{`0x[0-9a-f]+`}},
		{name: "strace", needs: []string{"strace"}, steps: []string{
			"strace -f -e trace=openat,execve -o log sh -c 'cat /etc/hostname >/dev/null; true'; grep -c execve log; grep -c /etc/hostname log",
			"strace -c true 2>&1 | grep -c total; strace -e inject=unlink,unlinkat:error=EPERM rm -f log 2>&1 | grep -c INJECTED",
		}, ignore: "log"},
		{name: "tar", needs: []string{"tar", "gzip"}, steps: []string{
			"mkdir -p a/b; echo 1 >a/b/x; chmod 0640 a/b/x; ln -s b/x a/l; ln a/b/x a/h; mkfifo a/f; touch -d '2001-02-03 04:05:06.789 UTC' a/b/x a/b; chmod 1777 a/b; tar czpf t.tgz a; tar tvzf t.tgz",
			"mkdir o; tar xzpf t.tgz -C o; find o -printf '%P %y %m %n %s %u %g\\n' | sort; stat -c '%y' o/a/b/x o/a/b; cmp o/a/b/x a/b/x; cp -a o p; rsync --version >/dev/null 2>&1 || true; find p -printf '%P %y %m %s\\n' | sort",
		}, mask: []string{`20[2-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9:]+`}, ignore: `\.tgz$`},
		{name: "files", steps: []string{
			`n=$'a b\nc "\'\\ ä 漢 🙂'; echo x >"$n"; mkdir -- "-d $n"; mv -- "$n" "./-d $n/"; ls -1bR -- "./-d $n"; find "./-d $n" -print0 | sort -z | od -c | tail -3; printf '\377' | xargs -I{} touch {}; ls -b $'\377'`,
			`umask 077; echo secret >s; umask 0; mkdir open; stat -c %a s open; ln s hard; stat -c %h s; truncate -s 1M sparse; fallocate -l 4096 full; cp --reflink=auto full copy; mv -T open closed; rmdir closed; touch -a -d @5 s; stat -c %X s`,
			`d=$(printf 'd%.0s' $(seq 200)); for i in $(seq 30); do mkdir $d && cd -P $d; done; echo deep >f; cat f; for i in $(seq 30); do cd -P ..; done; ls $d/$d | wc -l; rm -rf $d`,
			`rmdir "$(mktemp -d)"; t=$(mktemp); echo x >$t; mv $t moved; cat moved; test -w "$HOME" && touch "$HOME/probe" 2>/dev/null && rm "$HOME/probe"; true`,
		}},
		{name: "arguments", needs: []string{"xargs"}, steps: []string{
			`seq 50000 | xargs -s 2000000 sh -c 'echo $#' sh; printf '%s\0' 'a b' $'c\nd' '' 'ä' | xargs -0 -n1 printf '[%s]'`,
			`/bin/echo $(seq 12000) | md5sum; env -i X="$(head -c 100000 /dev/zero | tr '\0' x)" sh -c 'echo ${#X}'`,
		}, outer: `$BOX bash -c 'printf "[%s]" "$@" | md5sum; echo $#' sh $(seq 50000) '' 'a b' $'c\nd' '$x' '*' ä; $BOX /bin/echo -n -- --; $BOX sh -c 'exit 77' || echo $?`},
		{name: "job control in a script", steps: []string{
			`set -m; sleep 100 & kill -STOP %1; sleep 0.1; jobs | tr -s ' '; kill -CONT %1; kill %1; wait %1 || echo $?`,
			`trap 'echo usr1' USR1; trap 'echo exit' EXIT; (sleep 0.1; kill -USR1 $$) & wait || echo $?; wait; echo end`,
			`set +e; (exit 5) & wait $!; echo $?; timeout 0.1 sleep 5; echo $?; timeout -s KILL 0.1 sleep 5; echo $?; coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x; diff <(echo 1) <(echo 2)`,
			`nohup sleep 0.01 </dev/null; setsid -w sh -c 'exit 4' || echo $?; nice -n 5 sh -c nice; kill -0 $$ && echo alive; kill -0 1 2>/dev/null || true; kill -SEGV $BASHPID`,
		}, fails: []int{3, 4}, mask: []string{`bash: line 1: +[0-9]+ .*`}},
		{name: "flock and fifos", needs: []string{"flock"}, steps: []string{
			`mkfifo f; (echo through >f) & cat f; wait; exec 9>lock; flock 9; flock -n lock true || echo busy; flock -u 9; flock -n lock echo free`,
			`for i in $(seq 20); do flock lock sh -c 'n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) >n' & done; wait; cat n`,
		}},
		{name: "tmux", needs: []string{"tmux"}, steps: []string{
			`tmux new-session -d -x 80 -y 24 'bash --norc'; tmux send-keys 'echo in $((40+2))' Enter; for i in $(seq 100); do tmux capture-pane -p | grep -x 'in 42' && break; sleep 0.05; done; tmux list-sessions -F '#{session_name}'; tmux kill-server; rm -rf /tmp/tmux-$(id -u)`,
		}},
		{name: "script", needs: []string{"script"}, steps: []string{
			`script -qec 'test -t 0 && test -t 1 && tty | tr 0-9 N; stty -a | head -1 | tr -d 0-9; exit 3' log </dev/null || echo $?`,
		}, ignore: "^log$", mask: []string{`baud.*`, `\r`, `\^D\x08\x08`}},
		{name: "curl and a server", needs: []string{"curl", "python3"}, steps: []string{
			`echo hello >page; python3 -um http.server --bind 127.0.0.1 0 >log 2>&1 & trap 'kill %1' EXIT; for i in $(seq 100); do p=$(grep -so 'port [0-9]*' log | cut -d' ' -f2) && test "$p" && break; sleep 0.05; done; curl -s --noproxy '*' "http://127.0.0.1:$p/page"; curl -s --noproxy '*' -o /dev/null -w '%{http_code}\n' "http://localhost:$p/none"`,
		}, ignore: "^log$"},
		{name: "100 MB through a pipe", long: true, steps: []string{
			`yes 'a line of text' | head -c 100000000 | tee >(md5sum >sum) | md5sum; sleep 0.2; cat sum`,
		}, outer: `yes other | head -c 100000000 | $BOX cat | md5sum; yes | head -c 100000000 | $BOX sh -c 'cat | cat' | head -c 5; $BOX sh -c 'yes | head -c 20000000' | cksum`},
	})
}
