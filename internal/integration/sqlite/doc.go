// Package sqlite has only tests: databases that this process has open through a driver, dumped while it writes to them.
package sqlite
