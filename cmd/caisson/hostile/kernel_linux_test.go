// SPDX-License-Identifier: Apache-2.0

package hostile

func kernelActs() map[string]act { return nil }
