//! What becomes of each file: nothing is passed over without a word.

use super::tests::{error, folder, png};
use super::*;
use crate::control::Silent;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn scanned(root: &Path) -> DatasetIndex {
    scan(root, &ScanOptions::default(), &Silent).unwrap()
}

/// All files below a folder, links among them.
fn files_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path()),
            false => 1,
        })
        .sum()
}

#[test]
fn texts_need_no_extension() {
    let mail: &[u8] = b"From: someone\nSubject: words\n\nWords.";
    let files: [(&str, &[u8]); 7] = [
        ("ham/0001.ea7e79d3153e7469e7a9c3e0af6a357e", mail),
        ("ham/51060", b"words of their own"),
        ("ham/notes.md", b"# Words"),
        ("spam/1.log", b"other words"),
        ("spam/cmds", b"\x7fELF\x02\x01\x01\0"),
        ("spam/README", b"what these files are"),
        ("spam/2.text", b"caf\xe9"),
    ];
    let index = scanned(folder(&files).path());
    assert_eq!(index.layout.to_string(), "4 texts in 2 folders");
    let findings: Vec<String> =
        index.findings.iter().map(|f| format!("{} {}", f.kind.name(), f.file.display())).collect();
    let expected = [
        "single_item_class spam/1.log",
        "not_utf8 spam/2.text",
        "not_data spam/README",
        "not_data spam/cmds",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn few_words_among_images_are_no_second_kind() {
    let (a, b, c, d) = (png(1), png(2), png(3), png(4));
    let files: [(&str, &[u8]); 6] = [
        ("cat/1.png", &a),
        ("cat/2", &b),
        ("dog/3.png", &c),
        ("dog/4.png", &d),
        ("dog/LICENSE", b"do as you like"),
        ("dog/box.pts", b"1 2 3 4"),
    ];
    let index = scanned(folder(&files).path());
    assert_eq!(index.files, FileCount { used: 4, left_out: 2, beside: 0, litter: 0 });
}

#[test]
fn a_file_that_is_not_decoded_is_named_with_what_to_do() {
    let a = png(1);
    let files: [(&str, &[u8]); 3] = [
        ("cat/1.png", &a),
        ("cat/2.avif", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf"),
        ("dog/3.heic", b"\0\0\0\x20ftypheic\0\0\0\0mif1heicmiaf"),
    ];
    let index = scanned(folder(&files).path());
    let of = |name: &str| index.findings.iter().find(|finding| finding.file.ends_with(name)).unwrap();
    assert_eq!(of("2.avif").reason, "cannot be read here: it is an AVIF image");
    assert!(of("3.heic").reason.contains("a HEIC image") && of("3.heic").remedy.contains("Most Compatible"));
    let only: [(&str, &[u8]); 1] = [("cat/1.avif", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf")];
    assert!(error(&only).to_string().contains("cat/1.avif: cannot be read here: it is an AVIF image"));
}

#[cfg(unix)]
#[test]
fn what_is_no_ordinary_file_is_never_opened() {
    let (a, b) = (png(1), png(2));
    let files: [(&str, &[u8]); 2] = [("cat/1.png", &a), ("dog/2.png", &b)];
    let data = folder(&files);
    let at = |name: &str| data.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("cat/socket.png")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("dog/zero.png")).unwrap();
    std::os::unix::fs::symlink("/nowhere", at("dog/dead.png")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("cat/pipe")).status();
    let pipes = u64::from(made.is_ok_and(|status| status.success()));
    let index = scanned(data.path());
    assert_eq!(index.files, FileCount { used: 2, left_out: 3 + pipes, beside: 0, litter: 0 });
    let special = index.findings.iter().filter(|finding| finding.reason.contains("no ordinary file"));
    assert_eq!(special.count() as u64, 2 + pipes);
    // Nor where it is all that was given.
    if pipes == 1 {
        std::fs::rename(at("cat/pipe"), at("rows.csv")).unwrap();
        let refused = scan(&at("rows.csv"), &ScanOptions::default(), &Silent).unwrap_err();
        assert!(refused.to_string().contains("no ordinary file"), "{refused}");
    }
}

#[test]
fn a_table_counts_as_one_file() {
    let files: [(&str, &[u8]); 4] = [
        ("reviews.csv", b"text,label\ngood,pos\nbad,neg\nfine,pos\nsad,neg\n"),
        ("README.md", b"about these"),
        ("old/scan.dat", b"\0\x01"),
        (".DS_Store", b"x"),
    ];
    let index = scanned(folder(&files).path());
    assert_eq!(index.files, FileCount { used: 1, left_out: 0, beside: 2, litter: 1 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Classes with images, broken files and files of other kinds, in folders of any depth, among litter and read-mes.
    #[test]
    fn every_file_of_a_random_tree_is_counted_once(
        files in prop::collection::vec((0usize..3, 0usize..3, 0usize..9, 0usize..60), 0..40),
    ) {
        const NAMES: [&str; 9] = [
            "png", "jpg", "png.bak", "csv", "heic", "txt.gz", "DS_Store", "avif", "tif",
        ];
        let mut tree: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (class, number) in ["ant", "bee", "cow"].iter().zip(1u8..) {
            tree.insert(format!("{class}/sure.png"), png(number));
        }
        for (class, depth, kind, number) in files {
            let class = ["ant", "bee", "cow"][class];
            let below = ["", "more/", "more/@eaDir/"][depth];
            let name = NAMES[kind];
            let path = match name {
                "DS_Store" => format!("{class}/{below}.DS_Store"),
                name => format!("{class}/{below}{number}.{name}"),
            };
            let content = if kind < 3 && number % 5 > 0 { png(number as u8 + 10) } else { vec![number as u8; number] };
            tree.insert(path, content);
        }
        tree.insert("README.md".to_owned(), b"about these".to_vec());
        tree.insert("labels.csv".to_owned(), b"a,b\n1,2\n".to_vec());
        let files: Vec<(&str, &[u8])> = tree.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let data = folder(&files);
        let index = scanned(data.path());
        prop_assert_eq!(index.files.total(), files_below(data.path()));
        prop_assert_eq!(index.files.used, index.items.len() as u64);
        prop_assert_eq!(index.files.beside, 2);
        let litter = tree.keys().filter(|path| path.contains("@eaDir") || path.contains("DS_Store")).count();
        prop_assert_eq!(index.files.litter, litter as u64);
        // Each file that is left out is named, and is no sample.
        let used: std::collections::BTreeSet<&std::path::PathBuf> = index.items.iter().map(|item| &item.path).collect();
        let named: std::collections::BTreeSet<&std::path::PathBuf> =
            index.findings.iter().map(|finding| &finding.file).filter(|file| !used.contains(file)).collect();
        prop_assert_eq!(index.files.left_out, named.len() as u64);
    }
}
