// Package integration tests the library against other implementations and real services. It is a
// module of its own, never released, so that what only tests need is in no importer's go.sum.
//
// What belongs here is a test that needs a module, container or server which the library itself does not.
package integration
