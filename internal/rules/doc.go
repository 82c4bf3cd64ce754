// Package rules has only tests: which package may import which, which modules the library depends on, and
// how many of them an importer inherits. docs/DESIGN.md says why.
package rules
