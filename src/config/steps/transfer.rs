//! What the steps that transfer files have in common.

use crate::config::reader::Value;
use crate::model::transfer::MAX_BLOCK_BYTES;

/// The number of bytes to transfer at once.
pub(super) fn block_size(value: &Value<'_>) -> Option<u32> {
    let size = value.size()?;
    let size = u32::try_from(size).ok();
    let size = size.filter(|size| (1..=MAX_BLOCK_BYTES).contains(size));
    if size.is_none() {
        let help = format!("a size from 1 to {} KiB", MAX_BLOCK_BYTES / 1024);
        value.error("is out of range", help);
    }
    size
}

/// The permissions of a file.
pub(super) fn mode(value: &Value<'_>) -> Option<u32> {
    let is_octal = value.data().as_integer().map(|mode| mode.radix() == 8);
    if is_octal == Some(false) {
        value.error("must be octal", "for example 0o644");
        return None;
    }
    value.integer(0..=0o7777)
}
