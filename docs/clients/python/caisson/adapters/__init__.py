# SPDX-License-Identifier: Apache-2.0
"""Adapters at the seams of agent harnesses. Each imports its harness when used."""
