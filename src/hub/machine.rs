//! What this machine has free.

use std::path::Path;

/// Left free on the disk after a download.
const SPARE_DISK: u64 = 64 << 20;

/// Memory that programs can still take, in bytes; `None` where the system does not say.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Free bytes on the disk that holds `folder`, which need not exist yet; `None` where the system does not say.
pub fn free_disk(folder: &Path) -> Option<u64> {
    let absolute = std::path::absolute(folder).ok()?;
    fs4::available_space(absolute.ancestors().find(|folder| folder.exists())?).ok()
}

/// Memory that the weights of a backbone take while they are used, in bytes: every number becomes f32, whatever the
/// file holds. The file is mapped, and what the system reads of it can be given back.
pub fn weights_memory(parameters: u64) -> u64 {
    parameters.saturating_mul(4)
}

/// Whether so many bytes fit into the memory that is free.
pub fn fits_memory(needed: u64, free: u64) -> bool {
    needed <= free
}

/// Whether so many bytes fit on the disk with something to spare.
pub fn fits_disk(needed: u64, free: u64) -> bool {
    needed == 0 || needed.saturating_add(SPARE_DISK) <= free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_measured_by_the_rule_for_the_disk() {
        assert_eq!(weights_memory(22_713_216), 90_852_864);
        assert!(fits_memory(90_852_864, 90_852_864) && !fits_memory(90_852_864, 90_852_863));
    }

    #[test]
    fn a_disk_is_found_for_a_folder_to_come() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_disk(&folder.path().join("a/b/c")).is_some_and(|free| free > 0));
        assert!(fits_disk(0, 0) && !fits_disk(1, SPARE_DISK) && fits_disk(1, SPARE_DISK + 1));
    }
}
