"""The version of this program, said in one place."""

VERSION = "0.1.0"
