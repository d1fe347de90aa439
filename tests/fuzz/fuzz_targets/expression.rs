#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| buildmaster::config::expression::fuzz::expression(data));
