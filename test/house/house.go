// Package house holds the tests that keep the repository's style: they read its files and say where one breaks a rule of the
// house. It must never be imported.
package house
