package object

// TestContract is the contract test, for tests outside the package.
var TestContract = testContract
