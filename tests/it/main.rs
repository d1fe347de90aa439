//! Integration tests: parts of the library together.

mod tidy;
