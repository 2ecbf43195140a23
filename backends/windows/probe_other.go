// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package windows

import (
	"context"
	"errors"
)

// probe has nothing to look at here.
func probe(context.Context, Options) (Facts, error) {
	return Facts{}, errors.New("this is not Windows")
}
