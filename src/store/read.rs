//! Reading the state: plain functions on a read-only connection, for `show` and later the pages.
