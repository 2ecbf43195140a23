// SPDX-License-Identifier: Apache-2.0

package backend

import (
	"reflect"

	"github.com/caisson-sandbox/caisson/core/guarantee"
	"github.com/caisson-sandbox/caisson/core/internal/schema"
)

// ReportSchema returns the JSON Schema (2020-12) of reports, for authors of
// backends in other languages. DecodeReport is stricter.
func ReportSchema() ([]byte, error) {
	var ids []string
	for _, i := range guarantee.All() {
		ids = append(ids, string(i.ID))
	}
	top := schema.Of(reflect.TypeFor[Report](), func(t reflect.Type, key string) map[string]any {
		switch t {
		case reflect.TypeFor[guarantee.ID]():
			return map[string]any{"enum": ids}
		case reflect.TypeFor[guarantee.By]():
			return map[string]any{"enum": []string{string(guarantee.ByKernel), string(guarantee.ByAccount), string(guarantee.ByLaunch), string(guarantee.ByVM)}}
		}
		return nil
	})
	return schema.Document(top, "caisson report", "What a backend can do on a host: its answer to Probe.", "usable", "offers", "facts")
}
