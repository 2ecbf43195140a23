// SPDX-License-Identifier: Apache-2.0

package winapi

// What is declared here and nowhere else calls into the system. After a change
// run go generate; the test of this package compares.
//
//go:generate go test . -run TestGenerated -update

// Tokens and logons, securitybaseapi.h and winbase.h.
//
//sys	CreateRestrictedToken(existing windows.Token, flags uint32, disableCount uint32, disable *windows.SIDAndAttributes, deleteCount uint32, deletePrivileges *windows.LUIDAndAttributes, restrictCount uint32, restrict *windows.SIDAndAttributes, token *windows.Token) (err error) = advapi32.CreateRestrictedToken
//sys	IsTokenRestricted(token windows.Token) (restricted bool) = advapi32.IsTokenRestricted
//sys	LogonUser(user *uint16, domain *uint16, password *uint16, logonType uint32, provider uint32, token *windows.Token) (err error) = advapi32.LogonUserW
//sys	CreateProcessWithLogon(user *uint16, domain *uint16, password *uint16, logonFlags uint32, application *uint16, commandLine *uint16, flags uint32, environment *uint16, directory *uint16, startup *windows.StartupInfo, info *windows.ProcessInformation) (err error) = advapi32.CreateProcessWithLogonW
//sys	ImpersonateLoggedOnUser(token windows.Token) (err error) = advapi32.ImpersonateLoggedOnUser
//sys	AccessCheck(sd *windows.SECURITY_DESCRIPTOR, client windows.Token, desired uint32, mapping *GenericMapping, privileges *PrivilegeSet, privilegesLength *uint32, granted *uint32, status *int32) (err error) = advapi32.AccessCheck

// Rights of accounts, ntsecapi.h.
//
//sys	LsaOpenPolicy(system *LSAUnicodeString, attributes *LSAObjectAttributes, access uint32, policy *windows.Handle) (status uint32) = advapi32.LsaOpenPolicy
//sys	LsaAddAccountRights(policy windows.Handle, sid *windows.SID, rights *LSAUnicodeString, count uint32) (status uint32) = advapi32.LsaAddAccountRights
//sys	LsaRemoveAccountRights(policy windows.Handle, sid *windows.SID, all bool, rights *LSAUnicodeString, count uint32) (status uint32) = advapi32.LsaRemoveAccountRights
//sys	LsaEnumerateAccountRights(policy windows.Handle, sid *windows.SID, rights **LSAUnicodeString, count *uint32) (status uint32) = advapi32.LsaEnumerateAccountRights
//sys	LsaFreeMemory(buffer uintptr) (status uint32) = advapi32.LsaFreeMemory
//sys	LsaClose(policy windows.Handle) (status uint32) = advapi32.LsaClose
//sys	LsaNtStatusToWinError(status uint32) (code uint32) = advapi32.LsaNtStatusToWinError

// Accounts and groups, lmaccess.h. The results are codes, 0 for success.
//
//sys	NetUserAdd(server *uint16, level uint32, buffer *byte, parameter *uint32) (code uint32) = netapi32.NetUserAdd
//sys	NetUserDel(server *uint16, user *uint16) (code uint32) = netapi32.NetUserDel
//sys	NetUserSetInfo(server *uint16, user *uint16, level uint32, buffer *byte, parameter *uint32) (code uint32) = netapi32.NetUserSetInfo
//sys	NetLocalGroupAdd(server *uint16, level uint32, buffer *byte, parameter *uint32) (code uint32) = netapi32.NetLocalGroupAdd
//sys	NetLocalGroupDel(server *uint16, group *uint16) (code uint32) = netapi32.NetLocalGroupDel
//sys	NetLocalGroupGetInfo(server *uint16, group *uint16, level uint32, buffer **byte) (code uint32) = netapi32.NetLocalGroupGetInfo
//sys	NetLocalGroupGetMembers(server *uint16, group *uint16, level uint32, buffer **byte, most uint32, read *uint32, total *uint32, resume *uintptr) (code uint32) = netapi32.NetLocalGroupGetMembers
//sys	NetLocalGroupAddMembers(server *uint16, group *uint16, level uint32, buffer *byte, count uint32) (code uint32) = netapi32.NetLocalGroupAddMembers
//sys	NetLocalGroupDelMembers(server *uint16, group *uint16, level uint32, buffer *byte, count uint32) (code uint32) = netapi32.NetLocalGroupDelMembers

// The Windows Filtering Platform, fwpmu.h. The results are codes.
//
//sys	FwpmEngineOpen(server *uint16, service uint32, identity uintptr, session *Session, engine *windows.Handle) (code uint32) = fwpuclnt.FwpmEngineOpen0
//sys	FwpmEngineClose(engine windows.Handle) (code uint32) = fwpuclnt.FwpmEngineClose0
//sys	FwpmTransactionBegin(engine windows.Handle, flags uint32) (code uint32) = fwpuclnt.FwpmTransactionBegin0
//sys	FwpmTransactionCommit(engine windows.Handle) (code uint32) = fwpuclnt.FwpmTransactionCommit0
//sys	FwpmTransactionAbort(engine windows.Handle) (code uint32) = fwpuclnt.FwpmTransactionAbort0
//sys	FwpmProviderAdd(engine windows.Handle, provider *Provider, sd *windows.SECURITY_DESCRIPTOR) (code uint32) = fwpuclnt.FwpmProviderAdd0
//sys	FwpmProviderDelete(engine windows.Handle, key *GUID) (code uint32) = fwpuclnt.FwpmProviderDeleteByKey0
//sys	FwpmSubLayerAdd(engine windows.Handle, sublayer *Sublayer, sd *windows.SECURITY_DESCRIPTOR) (code uint32) = fwpuclnt.FwpmSubLayerAdd0
//sys	FwpmSubLayerDelete(engine windows.Handle, key *GUID) (code uint32) = fwpuclnt.FwpmSubLayerDeleteByKey0
//sys	FwpmFilterAdd(engine windows.Handle, filter *Filter, sd *windows.SECURITY_DESCRIPTOR, id *uint64) (code uint32) = fwpuclnt.FwpmFilterAdd0
//sys	FwpmFilterDelete(engine windows.Handle, key *GUID) (code uint32) = fwpuclnt.FwpmFilterDeleteByKey0
//sys	FwpmFilterGet(engine windows.Handle, key *GUID, filter **Filter) (code uint32) = fwpuclnt.FwpmFilterGetByKey0
//sys	FwpmFreeMemory(p **Filter) = fwpuclnt.FwpmFreeMemory0

// Desktops and window stations, winuser.h.
//
//sys	CreateDesktop(name *uint16, device *uint16, mode uintptr, flags uint32, access uint32, attributes *windows.SecurityAttributes) (desktop windows.Handle, err error) = user32.CreateDesktopW
//sys	CloseDesktop(desktop windows.Handle) (err error) = user32.CloseDesktop
//sys	GetThreadDesktop(thread uint32) (desktop windows.Handle, err error) = user32.GetThreadDesktop
//sys	GetProcessWindowStation() (station windows.Handle, err error) = user32.GetProcessWindowStation
//sys	GetUserObjectInformation(object windows.Handle, index int32, info *byte, length uint32, needed *uint32) (err error) = user32.GetUserObjectInformationW

// Processes, profiles and elevation.
//
//sys	IsProcessInJob(process windows.Handle, job windows.Handle, result *int32) (err error) = kernel32.IsProcessInJob
//sys	CancelSynchronousIo(thread windows.Handle) (err error) = kernel32.CancelSynchronousIo
//sys	DeleteProfile(sid *uint16, path *uint16, computer *uint16) (err error) = userenv.DeleteProfileW
//sys	ShellExecuteEx(info *ShellExecuteInfo) (err error) = shell32.ShellExecuteExW

// Sandboxes of the system, of newest Windows alone: HasSecurityEnvironments
// comes first. The results are codes of HRESULT.
//
//sys	CreateProcessSecurityEnvironment(specification *byte, size uint32, flags uint32, environment *windows.Handle) (code uint32) = processmodel.CreateProcessSecurityEnvironment
//sys	QueryProcessSecurityEnvironmentSupport(flags *uint64) (code uint32) = processmodel.QueryProcessSecurityEnvironmentSupport
//sys	CloseProcessSecurityEnvironment(environment windows.Handle) = processmodel.CloseProcessSecurityEnvironment

// Objects of the kernel, winternl.h. The results are codes of NTSTATUS.
//
//sys	NtOpenDirectoryObject(directory *windows.Handle, access uint32, attributes *windows.OBJECT_ATTRIBUTES) (status uint32) = ntdll.NtOpenDirectoryObject
