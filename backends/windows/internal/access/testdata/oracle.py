# SPDX-License-Identifier: Apache-2.0
#
# Answers access checks with Samba's access_check. Each line of the input is
# SDDL, SIDs separated by commas, a bit mask of privileges (1 take ownership,
# 2 security), desired rights. Each line of the output is the granted rights in
# hexadecimal, or "denied", "privilege", "invalid".
import sys
from samba import NTSTATUSError
from samba.dcerpc import security
import samba.security

domain = security.dom_sid("S-1-5-21-1-2-3")
names = {0xC0000022: "denied", 0xC0000061: "privilege"}
for line in sys.stdin:
    sddl, sids, privileges, desired = line.rstrip("\n").split("\t")
    token = security.token()
    members = [security.dom_sid(s) for s in sids.split(",")]
    token.sids = members
    token.num_sids = len(members)
    if int(privileges) & 1:
        token.set_privilege(security.SEC_PRIV_TAKE_OWNERSHIP)
    if int(privileges) & 2:
        token.set_privilege(security.SEC_PRIV_SECURITY)
    try:
        # A list that grants everything has no form in Samba's SDDL.
        sd = security.descriptor.from_sddl(sddl.replace("D:NO_ACCESS_CONTROL", ""), domain)
        if sddl.endswith("NO_ACCESS_CONTROL"):
            sd.type |= security.SEC_DESC_DACL_PRESENT
        granted = samba.security.access_check(sd, token, int(desired, 16))
        print("0x%x" % granted)
    except NTSTATUSError as e:
        print(names.get(e.args[0] & 0xFFFFFFFF, "error %x" % (e.args[0] & 0xFFFFFFFF)))
