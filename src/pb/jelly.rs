//! See the module `pb`.
