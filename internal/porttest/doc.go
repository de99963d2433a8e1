// Package porttest gives tests port numbers that no other program can take while the test runs: a number that was free a moment ago may by
// then be that of anybody's connection, since the system hands them out from one range.
//
// Ownership: it starts nothing; what it keeps open ends with the test. Locks: none.
package porttest
