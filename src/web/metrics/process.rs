//! What the system says of this process and of its disk.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// This process, as the system sees it. What cannot be read is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_secs: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) open_files: Option<f64>,
    pub(super) most_files: Option<f64>,
    pub(super) threads: Option<f64>,
}

impl Process {
    /// Reads the values of now.
    pub(super) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name of the program, in parentheses, may have spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<f64> = fields
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(f64::NAN))
            .collect();
        let field = |number: usize| {
            let value = fields.get(number - 3).copied();
            value.filter(|value| value.is_finite())
        };
        let ticks = clock_ticks_per_second();
        let page = page_size();
        let files = fs::read_dir("/proc/self/fd").map(Iterator::count);
        Self {
            cpu_secs: field(14)
                .zip(field(15))
                .map(|(user, system)| (user + system) / number(ticks)),
            threads: field(20),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * number(page)),
            // One of them was the directory itself.
            open_files: files.ok().map(|files| number(files.saturating_sub(1))),
            most_files: getrlimit(Resource::Nofile).current.map(number),
        }
    }
}

/// As a floating-point number; above 2^53 the last digits are lost.
fn number(value: impl TryInto<u64>) -> f64 {
    let value = value.try_into().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "for metrics")]
    let number = value as f64;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_memory_and_its_files() {
        let process = Process::read();
        let memory = process.resident_bytes.expect("it has memory");
        assert!((1e6..1e12).contains(&memory), "{memory}");
        assert!(process.open_files.is_some_and(|files| files >= 3.0));
        assert!(process.cpu_secs.is_some_and(|secs| secs >= 0.0));
    }
}
