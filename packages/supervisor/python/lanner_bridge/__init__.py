"""The Python half of Lanner's supervisor: exec sandbox, zygote and runner. See README.md beside this package."""
