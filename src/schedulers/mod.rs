//! The registry of schedulers and their kinds; owned and driven by the core (sections 3 to 9).
//!
//! Pure: time is an argument. A scheduler gets every change, decides for itself, and answers with the sets it
//! wants submitted and what it must remember.
