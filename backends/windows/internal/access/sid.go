// SPDX-License-Identifier: Apache-2.0

package access

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// SID names a user or a group: "S-1-5-32-544". The planner also uses symbols
// such as "{account}" that only the helper replaces; the model takes both.
type SID string

// The well-known SIDs that plans and tests speak of.
const (
	Everyone           SID = "S-1-1-0"
	Local              SID = "S-1-2-0"
	CreatorOwner       SID = "S-1-3-0"
	CreatorGroup       SID = "S-1-3-1"
	OwnerRights        SID = "S-1-3-4"
	Interactive        SID = "S-1-5-4"
	Anonymous          SID = "S-1-5-7"
	AuthenticatedUsers SID = "S-1-5-11"
	Restricted         SID = "S-1-5-12"
	ThisOrganization   SID = "S-1-5-15"
	LocalSystem        SID = "S-1-5-18"
	Administrators     SID = "S-1-5-32-544"
	Users              SID = "S-1-5-32-545"
	AppPackages        SID = "S-1-15-2-1"
	WriteRestrictedSID SID = "S-1-5-33"
	TrustedInstaller   SID = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
)

// aliases are the two-letter names of SDDL, see "SID Strings".
func aliases() map[string]SID {
	return map[string]SID{
		"WD": Everyone, "CO": CreatorOwner, "CG": CreatorGroup, "OW": OwnerRights, "IU": Interactive, "AN": Anonymous,
		"AU": AuthenticatedUsers, "RC": Restricted, "SY": LocalSystem, "BA": Administrators, "BU": Users, "AC": AppPackages,
		"WR": WriteRestrictedSID, "NU": "S-1-5-2", "SU": "S-1-5-6", "LS": "S-1-5-19", "NS": "S-1-5-20", "BG": "S-1-5-32-546",
		"PU": "S-1-5-32-547", "BO": "S-1-5-32-551", "LW": "S-1-16-4096", "ME": "S-1-16-8192", "HI": "S-1-16-12288", "SI": "S-1-16-16384",
	}
}

// IsSymbol reports whether the SID is one that the helper replaces: a word in
// braces or one that begins with "@".
func (s SID) IsSymbol() bool {
	text := string(s)
	return len(text) > 2 && text[0] == '{' && strings.IndexByte(text, '}') == len(text)-1 || len(text) > 1 && text[0] == '@'
}

// ParseSID reads a SID or a symbol. The form is canonical: no leading zeros,
// one spelling for one SID.
func ParseSID(text string) (SID, error) {
	if s := SID(text); s.IsSymbol() {
		for _, r := range strings.Trim(text, "{}@") {
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
				return "", fmt.Errorf("%q is no symbol", text)
			}
		}
		return s, nil
	}
	if _, err := SID(text).Bytes(); err != nil {
		return "", err
	}
	return SID(text), nil
}

// Bytes gives the binary form, see SID in winnt.h: revision, count, a
// big-endian authority of 48 bits, little-endian parts.
func (s SID) Bytes() ([]byte, error) {
	parts := strings.Split(string(s), "-")
	if len(parts) < 3 || len(parts) > 3+15 || parts[0] != "S" || parts[1] != "1" {
		return nil, fmt.Errorf("%q is no SID", string(s))
	}
	authority, err := number(parts[2], 48)
	if err != nil {
		return nil, fmt.Errorf("%q is no SID: %w", string(s), err)
	}
	b := binary.BigEndian.AppendUint64(nil, authority)
	b[0], b[1] = 1, byte(len(parts)-3)
	for _, p := range parts[3:] {
		n, err := number(p, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no SID: %w", string(s), err)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b, nil
}

func number(text string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%q is no number of %d bits", text, bits)
	}
	return n, nil
}

// integrityOf gives the level that a label's SID stands for.
func integrityOf(s SID) (Integrity, bool) {
	text, ok := strings.CutPrefix(string(s), "S-1-16-")
	if !ok {
		return 0, false
	}
	n, err := number(text, 32)
	return Integrity(n), err == nil
}
