// SPDX-License-Identifier: Apache-2.0

package windows

// TypicalFacts are those of a usual machine: Windows 11, an unelevated user
// "me" with the profile C:\Users\me, a second drive, setup done. The access
// lists are the defaults of the system.
func TypicalFacts(arch string) Facts {
	const (
		full     = "(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
		trusted  = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
		readable = "(A;OICI;0x1200a9;;;BU)"
		profile  = "O:{user}G:{user}D:P" + full + "(A;OICI;FA;;;{user})"
		system   = "O:" + trusted + "G:" + trusted + "D:P(A;CI;FA;;;" + trusted + ")(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)" +
			"(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)"
		drive = "D:P" + full + readable + "(A;CI;0x4;;;AU)(A;OICIIO;0x1301bf;;;AU)"
	)
	return Facts{
		Format: factsFormat, Arch: arch, Build: 26100, Edition: "Professional", Session: 1,
		Setup:  Setup{State: "ready", Install: "a1b2c3d", Offline: 4, Online: 2, Proxy: 2},
		Logon:  "stopped",
		Device: "S-1-5-12", Container: Container{State: "absent"},
		Volumes: []Volume{
			{Root: `C:\`, FS: "NTFS", ACLs: true},
			{Root: `D:\`, FS: "NTFS", ACLs: true},
		},
		Places: []Place{
			{Path: `C:\`, SDDL: "O:" + trusted + "G:" + trusted + drive},
			{Path: `C:\Program Files`, SDDL: system},
			{Path: `C:\ProgramData`, SDDL: "O:SYG:SYD:P" + full + "(A;OICIIO;GA;;;CO)" + readable + "(A;CI;0x116;;;BU)"},
			{Path: `C:\Users`, SDDL: "O:SYG:SYD:P" + full + "(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;;0x1200a9;;;WD)(A;OICIIO;GXGR;;;WD)"},
			{Path: `C:\Users\Public`, SDDL: "O:SYG:SYD:P" + full + "(A;OICIIO;GA;;;CO)(A;OICI;0x1301ff;;;IU)(A;OICI;0x1301ff;;;SU)(A;OICI;0x1301ff;;;S-1-5-3)"},
			{Path: `C:\Users\me`, SDDL: profile},
			{Path: `C:\Users\me\src`, SDDL: profile + "(A;OICI;0x1200a9;;;{group})"},
			{Path: `C:\Windows`, SDDL: system},
			{Path: `C:\Windows\Temp`, SDDL: "O:SYG:SYD:P" + full + "(A;CI;0x100026;;;BU)(A;OICIIO;GA;;;CO)"},
			{Path: `D:\`, SDDL: "O:BAG:SY" + drive},
		},
		Temp: `C:\Users\me\AppData\Local\caisson\tmp\s0`,
	}
}
