<<<<<<< HEAD
//! Integration tests: the parts together, in process.

mod net;
<<<<<<< HEAD
mod pb_corpus;
mod pb_golden;
mod pb_properties;
mod pb_replay;
mod pb_transcripts;
=======
mod sendchange;
>>>>>>> build
=======
//! Integration tests: parts of the library together.

mod tidy;
>>>>>>> e2e
