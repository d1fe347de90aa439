//! How much room there is on a disk.

use std::path::Path;

/// Bytes that are free on the disk of `dir`, and its size.
#[expect(clippy::cast_precision_loss, reason = "for people and metrics")]
pub(super) fn disk(dir: &Path) -> Option<(f64, f64)> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let size = |blocks: u64| blocks as f64 * disk.f_frsize as f64;
    Some((size(disk.f_bavail), size(disk.f_blocks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_less_free_than_it_has() {
        let (free, size) = disk(Path::new("/")).expect("there is a disk");
        assert!(free <= size && size > 1e6, "{free} of {size}");
    }
}
