//! What this machine has free.

use std::path::Path;

/// Left free on the disk after a download.
const SPARE_DISK: u64 = 64 << 20;

/// Memory that this program can still take, in bytes: what is free, swap included, and no more than its container
/// (cgroup v2) or its own limit (`ulimit -v`) leaves it; `None` where the system does not say.
pub fn free_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo")?;
    let free = kilobytes(&machine, "MemAvailable:")? + kilobytes(&machine, "SwapFree:").unwrap_or(0);
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let of_group = || {
        let (most, taken) = (number("/sys/fs/cgroup/memory.max")?, number("/sys/fs/cgroup/memory.current")?);
        Some(left_in_group(most, taken, &read("/sys/fs/cgroup/memory.stat").unwrap_or_default()))
    };
    let own = || left_to_itself(&read("/proc/self/limits")?, &read("/proc/self/status")?);
    Some(free.min(of_group().unwrap_or(u64::MAX)).min(own().unwrap_or(u64::MAX)))
}

/// What a group that may take `most` bytes has left, with this `memory.stat`: copies of files are given back when memory
/// is asked for.
fn left_in_group(most: u64, taken: u64, stat: &str) -> u64 {
    let copies = ["active_file ", "inactive_file ", "slab_reclaimable "];
    let bytes =
        |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    most.saturating_sub(taken.saturating_sub(copies.into_iter().filter_map(bytes).sum()))
}

/// What the limit on addresses leaves a program with these `/proc/self/limits` and `/proc/self/status`.
fn left_to_itself(limits: &str, status: &str) -> Option<u64> {
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let most: u64 = limit.split_whitespace().next()?.parse().ok()?;
    Some(most.saturating_sub(kilobytes(status, "VmSize:")?))
}

/// The bytes that a line of kilobytes tells.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
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
    fn a_limit_of_the_program_itself_counts() {
        let status = "Name:\tfrostline\nVmPeak:\t 9 kB\nVmSize:\t  1000 kB\n";
        let limits =
            |soft: &str| format!("Max processes 9 9\nMax address space         {soft}   unlimited   bytes\n");
        assert_eq!(left_to_itself(&limits("unlimited"), status), None);
        assert_eq!(left_to_itself(&limits("1500000"), status), Some(1_500_000 - 1_024_000));
        assert_eq!(left_to_itself(&limits("1000"), status), Some(0));
        if cfg!(target_os = "linux") {
            assert!(free_memory().is_some_and(|free| free > 0));
        }
    }

    #[test]
    fn copies_of_files_are_free_again_when_memory_is_asked_for() {
        let stat = "anon 100\nactive_file 300\ninactive_file 200\nslab_reclaimable 50\n";
        assert_eq!(left_in_group(1000, 900, stat), 1000 - 350);
        assert_eq!((left_in_group(1000, 900, ""), left_in_group(800, 900, "")), (100, 0));
    }

    #[test]
    fn a_disk_is_found_for_a_folder_to_come() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_disk(&folder.path().join("a/b/c")).is_some_and(|free| free > 0));
        assert!(fits_disk(0, 0) && !fits_disk(1, SPARE_DISK) && fits_disk(1, SPARE_DISK + 1));
    }
}
