#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| buildmaster::protocol::report::fuzz::report(data));
