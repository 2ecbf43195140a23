// SPDX-License-Identifier: Apache-2.0

package conformance

import "errors"

func mknod(string, uint32, uint32) error { return errors.ErrUnsupported }
