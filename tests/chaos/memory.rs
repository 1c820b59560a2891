//! Nonsense takes little memory: the short form of `memory.py`, which makes files of 200 MB; here they have 48.

use crate::support::{Scratch, program};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const BYTES: usize = 48 << 20;
/// The file, a copy without what does not belong, and what every call takes.
const LIMIT_KB: u64 = 170 << 10;

fn fill(scratch: &Scratch, name: &str, start: &str, piece: &[u8]) -> PathBuf {
    let path = scratch.file(name, start);
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    let block: Vec<u8> = piece.iter().copied().cycle().take(piece.len() * (1 << 16)).collect();
    for _ in 0..BYTES / block.len() {
        file.write_all(&block).unwrap();
    }
    path
}

/// The most memory that a scan takes, in kilobytes, and its exit code.
fn peak(path: &Path) -> (u64, Option<i32>) {
    let mut command = program();
    let mut child =
        command.arg("scan").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            return (most, ended.code());
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Meant to fail with 2.4 GB where the fields of a row have no limit, and with 200 MB where one field has none.
#[cfg(target_os = "linux")]
#[test]
fn nonsense_takes_little_memory() {
    let scratch = Scratch::new();
    let nonsense: [(&str, &str, &[u8]); 8] = [
        ("one-cell.csv", "text,label\n\"", b"lorem ipsum dolor sit "),
        ("commas.csv", "text,label\n", b","),
        ("header.csv", "", b"column,"),
        ("quotes.csv", "text,label\n", b"\"\"\"\"\""),
        ("bad-rows.csv", "text,label\n", b"a,b,c,d\n"),
        ("zeros.csv", "text,label\n", b"\0"),
        ("short-rows.csv", "text,label\n", b"x,y\n"),
        ("objects.json", "[{\"text\": 1}", b",{}"),
    ];
    for (name, start, piece) in nonsense {
        let (most, code) = peak(&fill(&scratch, name, start, piece));
        assert!([Some(0), Some(2)].contains(&code), "{name}: {code:?}");
        assert!(most > 0 && most <= LIMIT_KB, "{name} took {most} KB");
    }
}
