// Package lint holds the tests that keep the house in order: layers, package
// comments, file sizes, import sites. It has no code of its own.
package lint
