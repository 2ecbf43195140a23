// SPDX-License-Identifier: Apache-2.0

package seatbelt

import "github.com/caisson-sandbox/caisson/backends/seatbelt/internal/sbpl"

// grant is one line of the list of what every profile allows, with the reason
// for it. A grant whose reason is gone goes too.
type grant struct {
	rule sbpl.Rule
	why  string
}

// group is a section of grants.
type group struct {
	comment string
	grants  []grant
}

func always(why string, ops ...string) grant {
	return grant{sbpl.Rule{Allow: true, Ops: ops, Always: true}, why}
}

func where(why string, op string, filters ...sbpl.Expr) grant {
	return grant{sbpl.Rule{Allow: true, Ops: []string{op}, Filters: filters}, why}
}

func sameSandbox() sbpl.Expr { return sbpl.Form("target", sbpl.Symbol("same-sandbox")) }

// ownSlave is a pseudo-terminal that was made inside: the kernel marks the other
// end of each with this extension.
func ownSlave() sbpl.Expr {
	return sbpl.All(sbpl.Regex("^/dev/ttys[0-9]+$"), sbpl.Form("extension", sbpl.String("com.apple.sandbox.pty")))
}

// base is the list of what every profile allows, whatever the policy.
func base() []group {
	return []group{
		{"Processes: what is started inside is confined too; only they are signalled and\ninspected.", []grant{
			always("commands run programs; set-user-id ones are refused by the kernel", "process-exec*"),
			always("commands make processes, which inherit the profile", "process-fork"),
			where("programs signal what they started; never a process outside", "signal", sameSandbox()),
			where("ps and debuggers of the command's own processes; not the arguments of others", "process-info*", sameSandbox()),
		}},
		{"Reading: everything, less what is denied below.", []grant{
			always("the contract: broad reads work", "file-read*"),
			always("the dynamic linker maps libraries", "file-map-executable"),
			where("cp clones regular files; a directory would be cloned with what is hidden in it", "file-clone",
				sbpl.Form("vnode-type", sbpl.Symbol("REGULAR-FILE"))),
		}},
		{"Devices that may be written, and the caller's terminal.", []grant{
			where("standard devices, descriptors by name, the terminal of the caller and those made inside", "file-write-data",
				literal("/dev/null"), literal("/dev/zero"), literal("/dev/tty"), literal("/dev/ptmx"), subpath("/dev/fd"),
				sbpl.Literal(sbpl.Param(paramTTY)), ownSlave()),
			where("modes and size of those terminals", "file-ioctl",
				literal("/dev/tty"), literal("/dev/ptmx"), sbpl.Literal(sbpl.Param(paramTTY)), ownSlave()),
			always("test runners and shells make terminals", "pseudo-tty"),
		}},
		{"What programs ask about the machine.", []grant{
			{sbpl.Rule{Allow: true, Ops: []string{"sysctl-read"}, Filters: sysctls()}, "sizes, versions and features; not the arguments and environment of processes"},
			where("a probe of Java that counts as a write", "sysctl-write", sbpl.Form("sysctl-name", sbpl.String("kern.grade_cputype"))),
		}},
		{"Services of the system that cannot act for a program.", services(nil, baseServices())},
		{"Semaphores, and shared memory of two system libraries.", []grant{
			always("locks of python's multiprocessing and others", "ipc-posix-sem*"),
			where("the shared page of notify(3)", "ipc-posix-shm-read*", sbpl.Form("ipc-posix-name", sbpl.String("apple.shm.notification_center"))),
			{sbpl.Rule{
				Allow: true, Ops: []string{"ipc-posix-shm-read-data", "ipc-posix-shm-write-create", "ipc-posix-shm-write-unlink"},
				Filters: []sbpl.Expr{sbpl.Form("ipc-posix-name-regex", sbpl.Regex("^/__KMP_REGISTERED_LIB_[0-9]+$").Arg())},
			}, "libomp notes which of its copies is loaded"},
		}},
	}
}

// service is a Mach service and why it may be looked up.
type service struct{ name, why string }

func baseServices() []service {
	return []service{
		{"com.apple.bsd.dirhelper", "finds the directories for temporary files and caches, confstr(3)"},
		{"com.apple.logd", "takes messages of os_log, which otherwise go to standard error"},
		{"com.apple.system.logger", "takes messages of syslog(3)"},
		{"com.apple.system.notification_center", "notify(3), used by the C library itself"},
		{"com.apple.system.opendirectoryd.libinfo", "getpwuid(3): names of users"},
		{"com.apple.system.opendirectoryd.membership", "names of groups"},
	}
}

// onlineServices are allowed where the network is the host's: each of them
// reaches the network for whoever asks, or says how it is configured.
func onlineServices() []service {
	return []service{
		{"com.apple.SystemConfiguration.DNSConfiguration", "which name servers there are"},
		{"com.apple.SystemConfiguration.configd", "which proxies there are"},
		{"com.apple.ocspd", "whether a certificate was revoked"},
		{"com.apple.trustd", "whether a certificate is to be trusted"},
		{"com.apple.trustd.agent", "the same, for the certificates of the user"},
	}
}

func services(list []grant, of []service) []grant {
	for _, s := range of {
		list = append(list, where(s.why, "mach-lookup", sbpl.Form("global-name", sbpl.String(s.name))))
	}
	return list
}

// sysctls are the names that programs read, see sysctl(3). kern.procargs and
// kern.procargs2 are not among them: they hold the environment of every
// process of the user. Nor is kern.proc.all, which lists them.
func sysctls() []sbpl.Expr {
	var list []sbpl.Expr
	for _, name := range []string{
		"hw.activecpu", "hw.busfrequency_compat", "hw.byteorder", "hw.cacheconfig", "hw.cachelinesize_compat", "hw.cpufamily",
		"hw.cpufrequency", "hw.cpufrequency_compat", "hw.cputype", "hw.l1dcachesize_compat", "hw.l1icachesize_compat",
		"hw.l2cachesize_compat", "hw.l3cachesize_compat", "hw.logicalcpu", "hw.logicalcpu_max", "hw.machine", "hw.memsize",
		"hw.model", "hw.ncpu", "hw.nperflevels", "hw.packages", "hw.pagesize", "hw.pagesize_compat", "hw.physicalcpu",
		"hw.physicalcpu_max", "hw.tbfrequency_compat", "hw.vectorunit",
		"kern.argmax", "kern.hostname", "kern.maxfilesperproc", "kern.maxproc", "kern.osproductversion", "kern.osrelease",
		"kern.ostype", "kern.osvariant_status", "kern.osversion", "kern.secure_kernel", "kern.usrstack64", "kern.version",
		"machdep.cpu.brand_string", "sysctl.proc_cputype", "sysctl.proc_translated", "vm.loadavg",
	} {
		list = append(list, sbpl.Form("sysctl-name", sbpl.String(name)))
	}
	for _, prefix := range []string{
		"hw.optional.arm.", "hw.optional.armv8_", "hw.perflevel", "kern.proc.pgrp.", "kern.proc.pid.", "net.routetable.",
	} {
		list = append(list, sbpl.Form("sysctl-name-prefix", sbpl.String(prefix)))
	}
	return list
}

// allowances are the sections of base.
func allowances() []sbpl.Section {
	var list []sbpl.Section
	for _, g := range base() {
		s := sbpl.Section{Comment: g.comment}
		for _, one := range g.grants {
			s.Rules = append(s.Rules, one.rule)
		}
		list = append(list, s)
	}
	return list
}
