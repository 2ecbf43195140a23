// SPDX-License-Identifier: Apache-2.0

package windows

import (
	"github.com/caisson-sandbox/caisson/backends/windows/internal/installed"
	"github.com/caisson-sandbox/caisson/core/plan"
)

// filters are those of one plan.
func filters(w *plan.Windows) []plan.WindowsFilter {
	if w.Account == nil || w.Account.Pool != "offline" {
		return []plan.WindowsFilter{}
	}
	return installed.Filters()
}
