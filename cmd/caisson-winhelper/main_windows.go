// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/caisson-sandbox/caisson/backends/windows/helper"
)

func main() { os.Exit(helper.Main(os.Args)) }
