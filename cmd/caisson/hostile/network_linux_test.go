// SPDX-License-Identifier: Apache-2.0

package hostile

func networkActs() map[string]act { return nil }
