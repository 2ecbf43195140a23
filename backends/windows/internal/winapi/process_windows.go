// SPDX-License-Identifier: Apache-2.0

package winapi

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Attributes of a new process that x/sys does not name, winbase.h.
const (
	procThreadAttributeJobList          = 0x2000D
	procThreadAttributeMitigationPolicy = 0x20007

	// PROCESS_CREATION_MITIGATION_POLICY_…_ALWAYS_ON.
	mitigationExtensionPointOff = 1 << 32
	mitigationNoRemoteImages    = 1 << 52
	mitigationNoLowImages       = 1 << 56
)

// Attributes describe a new process beyond its startup information. Zero
// fields are left out.
type Attributes struct {
	Handles     []windows.Handle // the only ones that are inherited
	Job         windows.Handle
	Console     windows.Handle // a pseudo console
	Mitigations bool           // extension points off, no remote and no low images
}

// CreateProcess starts a program with a token, or with the caller's own where
// the token is 0. The application is an absolute path. environment is a block
// as EnvironmentBlock makes it.
func CreateProcess(token windows.Token, application, commandLine, directory, desktop string, environment []uint16, std [3]windows.Handle, a Attributes, flags uint32) (*windows.ProcessInformation, error) {
	list, err := windows.NewProcThreadAttributeList(4)
	if err != nil {
		return nil, fmt.Errorf("make the list of attributes: %w", err)
	}
	defer list.Delete()
	add := func(attribute uintptr, value unsafe.Pointer, size uintptr) {
		if err == nil {
			err = list.Update(attribute, value, size)
		}
	}
	if len(a.Handles) > 0 {
		add(windows.PROC_THREAD_ATTRIBUTE_HANDLE_LIST, unsafe.Pointer(&a.Handles[0]), uintptr(len(a.Handles))*unsafe.Sizeof(a.Handles[0]))
	}
	if a.Job != 0 {
		add(procThreadAttributeJobList, unsafe.Pointer(&a.Job), unsafe.Sizeof(a.Job))
	}
	policy := uint64(mitigationExtensionPointOff | mitigationNoRemoteImages | mitigationNoLowImages)
	if a.Mitigations {
		add(procThreadAttributeMitigationPolicy, unsafe.Pointer(&policy), unsafe.Sizeof(policy))
	}
	if a.Console != 0 {
		add(windows.PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, *(*unsafe.Pointer)(unsafe.Pointer(&a.Console)), unsafe.Sizeof(a.Console))
	}
	if err != nil {
		return nil, fmt.Errorf("set an attribute: %w", err)
	}
	var strings [4]*uint16
	for i, s := range []string{application, commandLine, directory, desktop} {
		if s == "" {
			continue
		}
		if strings[i], err = windows.UTF16PtrFromString(s); err != nil {
			return nil, err
		}
	}
	start := &windows.StartupInfoEx{ProcThreadAttributeList: list.List()}
	start.Cb = uint32(unsafe.Sizeof(*start))
	start.Desktop = strings[3]
	start.Flags = windows.STARTF_USESTDHANDLES
	start.StdInput, start.StdOutput, start.StdErr = std[0], std[1], std[2]
	flags |= windows.EXTENDED_STARTUPINFO_PRESENT | windows.CREATE_UNICODE_ENVIRONMENT
	info := &windows.ProcessInformation{}
	inherit := len(a.Handles) > 0
	if token == 0 {
		err = windows.CreateProcess(strings[0], strings[1], nil, nil, inherit, flags, &environment[0], strings[2], &start.StartupInfo, info)
	} else {
		err = windows.CreateProcessAsUser(token, strings[0], strings[1], nil, nil, inherit, flags, &environment[0], strings[2], &start.StartupInfo, info)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(policy)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", application, err)
	}
	return info, nil
}

// SetJobLimits sets what a job ends with and what it may use. Zero limits are
// none; ui are JOB_OBJECT_UILIMIT flags.
func SetJobLimits(job windows.Handle, processes uint32, memory uintptr, ui uint32) error {
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	if processes > 0 {
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
		limits.BasicLimitInformation.ActiveProcessLimit = processes
	}
	if memory > 0 {
		limits.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_JOB_MEMORY
		limits.JobMemoryLimit = memory
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		return fmt.Errorf("limit the job: %w", err)
	}
	r := UIRestrictions{Class: ui}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectBasicUIRestrictions, uintptr(unsafe.Pointer(&r)), uint32(unsafe.Sizeof(r))); err != nil {
		return fmt.Errorf("restrict the job's windows: %w", err)
	}
	return nil
}
