// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/diag"
	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func offers(ids ...guarantee.ID) guarantee.Set {
	s := guarantee.Set{}
	for _, id := range ids {
		s[id] = guarantee.Claim{By: guarantee.ByKernel}
	}
	return s
}

func candidate(name string, rank int, usable bool, ids ...guarantee.ID) Candidate {
	return Candidate{
		Info: backend.Info{Name: name, Rank: rank},
		Report: backend.Report{Usable: usable, Offers: offers(ids...), Unmet: []plan.Unmet{
			{ID: guarantee.NetOffline, Reason: "no network namespace on " + name, Remedy: "load one"},
		}},
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	const write, net, hidden = guarantee.WriteConfined, guarantee.NetOffline, guarantee.ReadHidden
	need := []guarantee.ID{write, net}
	full, weak := candidate("full", 10, true, write, net), candidate("weak", 5, true, write)
	strong := candidate("strong", 20, true, write, net)
	dead := candidate("dead", 99, false, write, net)
	failed := strong
	failed.Info.Name, failed.Err = "failed", errors.New("cannot be asked")
	tests := []struct {
		name         string
		need, accept []guarantee.ID
		prefer       string
		candidates   []Candidate
		want         string
		weakened     []guarantee.ID
		missing      []guarantee.ID
	}{
		{"strongest that meets", need, nil, "auto", []Candidate{full, weak, strong}, "strong", nil, nil},
		{"order does not matter", need, nil, "", []Candidate{strong, weak, full}, "strong", nil, nil},
		{"a preferred one is the only one", need, nil, "full", []Candidate{full, strong}, "full", nil, nil},
		{"a preferred one that lacks something is refused", need, nil, "weak", []Candidate{weak, strong}, "", nil, []guarantee.ID{net}},
		{"accepted loss", need, []guarantee.ID{net}, "auto", []Candidate{weak}, "weak", []guarantee.ID{net}, nil},
		{"no loss where none is needed", need, []guarantee.ID{net}, "auto", []Candidate{weak, full}, "full", nil, nil},
		{"accepting one does not accept another", need, []guarantee.ID{hidden}, "auto", []Candidate{weak}, "", nil, []guarantee.ID{net}},
		{"unusable is never chosen", need, need, "auto", []Candidate{dead}, "", nil, nil},
		{"one that cannot be asked is never chosen", need, need, "auto", []Candidate{failed, weak}, "weak", []guarantee.ID{net}, nil},
		{"none at all", need, []guarantee.ID{net}, "auto", nil, "", nil, []guarantee.ID{write}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Choose(tt.need, tt.accept, tt.prefer, tt.candidates)
			if got.Info.Name != tt.want || !slices.Equal(got.Weakened, tt.weakened) {
				t.Fatalf("chose %q weakened %v, want %q %v (error %v)", got.Info.Name, got.Weakened, tt.want, tt.weakened, err)
			}
			var unmet *UnmetError
			if (tt.want == "") != errors.As(err, &unmet) {
				t.Fatalf("error %v", err)
			}
			if unmet != nil {
				var ids []guarantee.ID
				for _, u := range unmet.Missing {
					ids = append(ids, u.ID)
				}
				if !slices.Equal(ids, tt.missing) {
					t.Errorf("missing %v, want %v", ids, tt.missing)
				}
			}
		})
	}
}

func TestUnmetNamesReasonAndRemedy(t *testing.T) {
	t.Parallel()
	_, err := Choose([]guarantee.ID{guarantee.NetOffline}, nil, "auto", []Candidate{candidate("weak", 1, true)})
	for _, want := range []string{"net.offline", "no network namespace on weak", "load one"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestUnknownBackend(t *testing.T) {
	t.Parallel()
	_, err := Choose(nil, nil, "nope", []Candidate{candidate("weak", 1, true)})
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != diag.BackendUnknown || !strings.Contains(d.Remedy, "weak") {
		t.Fatalf("error %v", err)
	}
}
