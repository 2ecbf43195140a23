// SPDX-License-Identifier: Apache-2.0

// Package soak holds the test that launches sandboxes by the hundred, and by
// the ten thousand with `make soak`, kills some of them at any moment, and looks
// for what grew and for what is left.
package soak
