// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/caisson-sandbox/caisson/core/backend"
	"github.com/caisson-sandbox/caisson/core/plan"
)

func TestBackendAnswersWhatItWasTold(t *testing.T) {
	t.Parallel()
	failure := errors.New("no")
	made := &plan.Plan{Backend: "fake"}
	b := &Backend{Answer: backend.Info{Name: "fake"}, Report: backend.Report{Usable: true}, ProbeErr: failure, Plan: made}
	var _ backend.Backend = b
	if r, err := b.Probe(context.Background()); !r.Usable || err != failure || b.Info().Name != "fake" {
		t.Errorf("%+v, %v, %+v", r, err, b.Info())
	}
	got, err := b.Prepare(context.Background(), backend.Request{Facts: json.RawMessage("{}")})
	if got != made || err != nil || len(b.Requests()) != 1 || string(b.Requests()[0].Facts) != "{}" {
		t.Errorf("%v, %v, %v", got, err, b.Requests())
	}
}
