//! What the world does to a program: broken files, full disks, other programs. The table of all cases, with
//! what is said and what is kept, is `BAD_INPUT.md`; the tests read their expectations from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Answer, Scratch, Training, edit_recipe, names};

const TABLE: &str = include_str!("BAD_INPUT.md");
const IMAGE_BACKBONE: &str = "mobilenetv2_100";
const TEXT_BACKBONE: &str = "all-MiniLM-L6-v2";

/// Checks an answer against the row of the table whose first cell is `case`.
#[track_caller]
fn expect(case: &str, answer: Answer) -> Answer {
    let rows = TABLE.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row =
        rows.into_iter().find(|row| row.get(1) == Some(&case)).unwrap_or_else(|| panic!("no row {case:?}"));
    let answer = answer.code(row[3].parse().unwrap());
    let said = format!("{}\n{}", answer.stdout, answer.stderr);
    let mut rest = said.as_str();
    for part in row[2].split('…').map(str::trim) {
        let at = rest.find(part).unwrap_or_else(|| panic!("{case}: {part:?} is not in {answer:#?}"));
        rest = &rest[at + part.len()..];
    }
    answer
}

/// A project in `scratch` on `data`.
fn project(scratch: &Scratch, backbone: &str, data: &Path, more: &[&str]) -> PathBuf {
    let project = scratch.path("project");
    let fixed =
        ["new", "--backbone", backbone, "--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
    support::frostline(fixed.iter().chain(more)).code(0);
    project
}

fn train(project: &Path) -> Answer {
    run!("train", project, "--threads", support::THREADS)
}

fn resume(project: &Path) -> Answer {
    run!("train", project, "--resume", "--threads", support::THREADS)
}

fn cut_in_half(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn every_row_of_the_table_is_tested() {
    let source = include_str!("bad_input.rs");
    let cases = TABLE.lines().filter(|line| line.starts_with("| ")).skip(2);
    for case in cases.map(|line| line.split('|').nth(1).unwrap().trim()) {
        assert!(source.contains(&format!("\"{case}\"")), "{case:?} is not tested");
    }
}

#[test]
fn unusable_images_are_findings() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 4);
    let empty = scratch.path("empty");
    std::fs::create_dir(&empty).unwrap();
    expect("empty folder", run!("scan", empty, "--json"));
    let one = scratch.path("one");
    support::copy_folder(&data.join("red"), &one.join("red"));
    let out = scratch.path("out");
    expect("one class", run!("new", "--data", one, "--backbone", IMAGE_BACKBONE, "--out", out));
    let named = ["new", "--backbone", IMAGE_BACKBONE, "--text-column", "title", "--data"];
    let paths = [data.to_str().unwrap(), "--out", out.to_str().unwrap()];
    expect("column named for a folder of images", support::frostline(named.iter().chain(&paths)));
    assert!(!out.exists());

    scratch.file("photos/red/letter.png", "Dear Sir or Madam");
    scratch.file("photos/red/zero.png", "");
    let jpeg = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/samples/clip-art/bugs/ladybug_02.jpg");
    let jpeg = std::fs::read(jpeg).unwrap();
    scratch.file("photos/red/cut.jpg", &jpeg[..jpeg.len() / 2]);
    large_png(&scratch.path("photos/red/big.png"), 20_000);
    let found = || run!("scan", data);
    expect("text file renamed to .png", found());
    expect("truncated JPEG", found());
    expect("image of 0 bytes", found());
    expect("PNG of 20,000 x 20,000 pixels", found());
    let index = run!("scan", data, "--json").code(0).object();
    let kinds: Vec<&str> =
        index["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["too_large", "truncated", "unreadable", "empty"]);
    assert_eq!(index["classes"][2], json!({"name": "red", "items": 4}));
}

/// A white PNG of one bit a pixel, written row by row: constant rows take hardly any space on the disk.
fn large_png(path: &Path, side: u32) {
    use std::io::Write;
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0xff; side.div_ceil(8) as usize];
    for _ in 0..side {
        stream.write_all(&row).unwrap();
    }
    stream.finish().unwrap();
    assert!(std::fs::metadata(path).unwrap().len() < 1 << 20);
}

#[test]
fn strange_images_are_used_or_left_out() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 3);
    let bytes = std::fs::read(data.join("red/00.png")).unwrap();
    // Flipped bits in the middle of the compressed pixels: only decoding shows it.
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    broken[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0xa5);
    scratch.file("photos/red/broken.png", broken);
    for (name, width, height) in [("dot", 1, 1), ("pole", 1, 60_000), ("beam", 60_000, 1)] {
        let shade = |x: u32, y: u32| image::Rgb([(x % 251) as u8, (y % 251) as u8, 90]);
        image::RgbImage::from_fn(width, height, shade).save(data.join(format!("green/{name}.png"))).unwrap();
    }
    let project = project(&scratch, IMAGE_BACKBONE, &data, &["--epochs", "1"]);
    let answer = expect("PNG damaged inside", train(&project));
    let answer = expect("images of 1 x 1 and 1 x 60,000 pixels", answer);
    assert!(!answer.stderr.contains("green/"), "{answer:#?}");
}

#[cfg(unix)]
#[test]
fn links_and_names_of_all_kinds() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 2);
    std::os::unix::fs::symlink("..", data.join("red/loop")).unwrap();
    std::os::unix::fs::symlink(&data, data.join("green/all")).unwrap();
    std::os::unix::fs::symlink("nowhere", data.join("red/dead.png")).unwrap();
    expect("links in loops and dead links", run!("scan", data));
    let items = |data: &Path| -> u64 {
        let index = run!("scan", data, "--json").code(0).object();
        index["classes"].as_array().unwrap().iter().map(|class| class["items"].as_u64().unwrap()).sum()
    };
    assert_eq!(items(&data), 6);

    let wild = "a\nb\u{1b}[31m";
    std::fs::rename(data.join("blue"), data.join(wild)).unwrap();
    let answer = expect("class name with a line break and an escape code", run!("scan", data));
    assert!(!answer.stdout.contains('\u{1b}'));
    assert_eq!(run!("scan", data, "--json").object()["classes"][0]["name"], wild);
    std::fs::rename(data.join(wild), data.join("日本 😀")).unwrap();
    assert!(run!("scan", data).stdout.contains("日本 😀"));

    use std::os::unix::ffi::OsStrExt;
    let no_unicode = data.join(std::ffi::OsStr::from_bytes(b"red/\xff.png"));
    std::fs::copy(data.join("red/00.png"), no_unicode).unwrap();
    assert_eq!(items(&data), 6);
}

#[test]
fn strange_tables() {
    let scratch = Scratch::new();
    let table = scratch.table("a.csv", 12);
    let out = scratch.path("out");
    let arguments = [
        "new",
        "--backbone",
        TEXT_BACKBONE,
        "--text-column",
        "title",
        "--out",
        out.to_str().unwrap(),
        "--data",
    ];
    let asked = support::frostline(arguments.iter().chain(&[table.to_str().unwrap()]));
    expect("CSV without the column", asked);
    assert!(!out.exists());
    let rows = |third: &[u8]| {
        [b"text,label\na good day,x\n", third, b"\na bad day,y\nan odd day,x\nno day,y\n"].concat()
    };
    let quote = scratch.file("quote.csv", rows(b"\"never closed,x"));
    expect("CSV with a broken quote", run!("scan", quote));
    assert_eq!(
        run!("scan", quote, "--json").object()["classes"],
        json!([{"name": "x", "items": 2}, {"name": "y", "items": 2}])
    );
    expect("CSV in Latin-1", run!("scan", scratch.file("latin.csv", rows(b"caf\xe9,x"))));

    let long = "A".repeat(70_000);
    let rows: String =
        (0..12).map(|n| format!("text number {n},{}\n", if n % 2 == 0 { "b" } else { &long })).collect();
    let huge = scratch.file("huge.csv", format!("text,label\n{rows}"));
    let answer = expect("label of 70,000 letters", run!("scan", huge));
    assert!(answer.stdout.len() < 1000);
    assert_eq!(run!("scan", huge, "--json").object()["classes"][0]["name"], long);
    let words: String = (0..200_000).map(|n| format!("word{n} ")).collect();
    let rows: String = (0..8).map(|n| format!("short {n},{}\n", ["x", "y"][n % 2])).collect();
    let long = scratch.file("long.csv", format!("text,label\n{rows}{words},x\n"));
    let project = project(&scratch, TEXT_BACKBONE, &long, &["--epochs", "1"]);
    expect("text of 200,000 words", train(&project));

    let hugely_named = Scratch::new();
    let project = self::project(&hugely_named, TEXT_BACKBONE, &huge, &["--epochs", "1"]);
    train(&project).code(0);
    run!("eval", project).code(0);
    run!("export", project, "--out", hugely_named.path("e")).code(0);
    assert!(run!("predict", hugely_named.path("e"), "--text", "x").code(0).stdout.len() < 300);
}

/// A backbone's folder, copied so that it can be damaged.
fn own_backbone(scratch: &Scratch, name: &str) -> PathBuf {
    let folder = scratch.path("backbone");
    support::copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/backbones").join(name), &folder);
    // Under its own name the bundled one would take its place.
    std::fs::write(folder.join("frostline.toml"), "id = \"mine\"").unwrap();
    folder
}

#[test]
fn damaged_weights() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 3);
    let backbone = own_backbone(&scratch, IMAGE_BACKBONE);
    let weights = backbone.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    let out = scratch.path("out");
    let new = || run!("new", "--data", data, "--backbone", backbone, "--out", out);
    cut_in_half(&weights);
    expect("weight file cut in half", new());
    let other = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/backbones/tf_efficientnet_lite0/model.safetensors");
    std::fs::copy(other, &weights).unwrap();
    expect("weight file of another backbone", new());
    assert!(!out.exists());

    let mut damaged = whole.clone();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let tensors: Value = serde_json::from_slice(&whole[8..8 + header]).unwrap();
    let at = 8 + header + tensors["conv_stem.weight"]["data_offsets"][0].as_u64().unwrap() as usize;
    damaged[at..at + 2].copy_from_slice(&half::f16::NAN.to_le_bytes());
    std::fs::write(&weights, damaged).unwrap();
    new().code(0);
    expect("weight file with NaN", train(&out));
    assert_eq!(run!("runs", out, "--json").code(0).stdout, "");

    std::fs::write(&weights, &whole).unwrap();
    let project = project(&scratch, IMAGE_BACKBONE, &data, &["--epochs", "1"]);
    edit_recipe(&project, "[backbone]", "[backbone]\nfolder = \"../backbone\"");
    cut_in_half(&weights);
    expect("weight file cut in half after the project was made", train(&project));
    std::fs::write(&weights, &whole).unwrap();
    train(&project).code(0);
}

#[test]
fn two_processes_and_vanishing_data() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 4);
    // Far more epochs than there is time for.
    let more = ["--epochs", "10000", "--batch-size", "4"];
    let project = project(&scratch, IMAGE_BACKBONE, &data, &more);
    let mut first = Training::start(&project, &[]);
    first.wait_for("step", 5);
    expect("two processes training one project", train(&project));
    run!("runs", project).code(0);
    first.wait_for("epoch", 1);
    first.interrupt();
    first.end().0.code(130);
    assert_eq!(run!("runs", project, "--json").lines().len(), 1);

    // The cached run goes on without its data.
    edit_recipe(&project, "epochs = 10000", "epochs = 200");
    let mut training = Training::start(&project, &[]);
    training.wait_for("step", 1);
    let hidden = scratch.path("hidden");
    std::fs::rename(&data, &hidden).unwrap();
    let (answer, events) = training.end();
    assert_eq!(names(&events).last(), Some(&"finished"));
    let told = Answer { stdout: events.last().unwrap().to_string(), ..answer };
    expect("data deleted while training, features cached", told);
    expect("data deleted before the training", train(&project));
    run!("eval", project).code(2).says("the data of this project is not there");
    run!("export", project, "--out", scratch.path("e")).code(0);

    // Without a cache each batch reads its images anew.
    std::fs::rename(&hidden, &data).unwrap();
    edit_recipe(&project, "enabled = true", "enabled = false");
    edit_recipe(&project, "epochs = 200", "epochs = 3");
    let mut training = Training::start(&project, &[]);
    training.wait_for("epoch", 1);
    std::fs::rename(&data, &hidden).unwrap();
    let (answer, events) = training.end();
    assert_eq!(names(&events).last(), Some(&"failed"));
    expect("data deleted while training, no cache", answer);
    std::fs::rename(&hidden, &data).unwrap();
    resume(&project).code(0);

    let mut training = Training::start(&project, &[]);
    training.wait_for("epoch", 1);
    training.interrupt();
    training.end().0.code(130);
    let image = data.join("red/00.png");
    let bytes = std::fs::read(&image).unwrap();
    support::picture(2, 99).save(&image).unwrap();
    expect("image changed while its run is unfinished", resume(&project));
    std::fs::write(&image, bytes).unwrap();
    support::copy_folder(&data.join("red"), &data.join("amber"));
    expect("class added while a run is unfinished", resume(&project));
    std::fs::remove_dir_all(data.join("amber")).unwrap();
    resume(&project).code(0);
}

#[test]
fn damaged_projects_and_exports() {
    let scratch = Scratch::new();
    let data = scratch.table("a.csv", 40);
    // So many steps that the pipe is full long before the end: an interrupted training cannot have finished.
    let project = project(&scratch, TEXT_BACKBONE, &data, &["--epochs", "60", "--batch-size", "1"]);
    train(&project).code(0);
    let export = scratch.path("export");
    run!("export", project, "--out", export).code(0);
    expect("export onto an existing file", run!("export", project, "--out", scratch.file("mine", "mine")));
    assert_eq!(std::fs::read(scratch.path("mine")).unwrap(), b"mine");

    let cache = std::fs::read_dir(project.join("cache")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&cache).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&cache, bytes).unwrap();
    let answer = expect("cache file damaged", train(&project));
    assert!(answer.stdout.contains("run 0002 finished"));
    support::Result::of(&project, "0001").assert_same(&support::Result::of(&project, "0002"));

    let mut training = Training::start(&project, &[]);
    training.wait_for("epoch", 2);
    training.interrupt();
    training.end().0.code(130);
    let checkpoint = project.join("runs/0003/checkpoint.safetensors");
    let whole = std::fs::read(&checkpoint).unwrap();
    cut_in_half(&checkpoint);
    expect("checkpoint cut in half", resume(&project));
    std::fs::write(&checkpoint, whole).unwrap();
    let record = project.join("runs/0003/run.json");
    let whole = std::fs::read(&record).unwrap();
    cut_in_half(&record);
    expect("run.json cut in half", resume(&project));
    let listed =
        run!("runs", project, "--json").code(0).says("left out: could not read the record of the run");
    assert_eq!(listed.lines().len(), 2);
    run!("eval", project).code(0);
    std::fs::write(&record, whole).unwrap();
    resume(&project).code(0);
    support::Result::of(&project, "0001").assert_same(&support::Result::of(&project, "0003"));

    cut_in_half(&project.join("recipe.toml"));
    expect("recipe.toml cut in half", train(&project));
    run!("eval", project).code(0);
    let head = export.join("head.safetensors");
    let whole = std::fs::read(&head).unwrap();
    cut_in_half(&head);
    expect("export with half a head", run!("predict", export, "--text", "x"));
    std::fs::write(&head, whole).unwrap();
    run!("predict", export, "--text", "x").code(0);
    cut_in_half(&export.join("manifest.json"));
    expect("export with half a manifest", run!("predict", export, "--text", "x"));
}

/// Runs the test called `name` once more in a mount namespace of its own, where it may mount what it likes and
/// nothing stays behind. True inside of it.
fn in_own_mounts(name: &str) -> bool {
    const INSIDE: &str = "FROSTLINE_TEST_IN_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // As root, else in a user namespace.
    for flags in ["-m", "-rm"] {
        let probe = Command::new("unshare")
            .args([
                flags,
                "sh",
                "-c",
                "mount -t tmpfs none /tmp && mount -t tmpfs -o remount,size=1m none /tmp",
            ])
            .output();
        if !probe.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let mut inside = Command::new("unshare");
        inside
            .arg(flags)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "1");
        let output = inside.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
        return false;
    }
    eprintln!("{name} is left out: this user may not mount");
    false
}

/// A small disk in memory.
struct Disk(PathBuf);

impl Disk {
    fn new(scratch: &Scratch, size: &str) -> Self {
        let path = scratch.path("disk");
        std::fs::create_dir(&path).unwrap();
        let disk = Self(path);
        disk.mount(&format!("size={size}"));
        disk
    }

    fn mount(&self, options: &str) {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&self.0).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn change(&self, options: &str) {
        self.mount(&format!("remount,{options}"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn read_only_disk() {
    if !in_own_mounts("read_only_disk") {
        return;
    }
    let scratch = Scratch::new();
    let data = scratch.table("a.csv", 24);
    let made = project(&scratch, TEXT_BACKBONE, &data, &["--epochs", "1"]);
    train(&made).code(0);
    let disk = Disk::new(&scratch, "8m");
    let on_disk = disk.0.join("project");
    support::copy_folder(&made, &on_disk);
    // The recipe names the data from where the project was.
    std::fs::copy(&data, disk.0.join("a.csv")).unwrap();
    run!("export", made, "--out", disk.0.join("export")).code(0);
    disk.change("ro");
    let before = support::snapshot(&disk.0);
    let data = disk.0.join("a.csv");
    expect(
        "new project on a read-only disk",
        run!("new", "--data", data, "--backbone", TEXT_BACKBONE, "--out", disk.0.join("p")),
    );
    expect("training on a read-only disk", train(&on_disk));
    expect("export to a read-only disk", run!("export", on_disk, "--out", disk.0.join("e")));
    run!("runs", on_disk).code(0);
    run!("eval", on_disk).code(0);
    run!("export", on_disk, "--out", scratch.path("e")).code(0);
    run!("predict", disk.0.join("export"), "--text", "x").code(0);
    // Data that cannot be written is no obstacle.
    run!("new", "--data", data, "--backbone", TEXT_BACKBONE, "--out", scratch.path("p"), "--epochs", "1")
        .code(0);
    train(&scratch.path("p")).code(0);
    assert!(before == support::snapshot(&disk.0));
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk() {
    if !in_own_mounts("full_disk") {
        return;
    }
    let scratch = Scratch::new();
    let data = scratch.table("a.csv", 24);
    let disk = Disk::new(&scratch, "4k");
    std::fs::write(disk.0.join("ballast"), [1; 4096]).unwrap();
    let on_disk = disk.0.join("project");
    let new = |more: &[&str]| {
        let paths = ["--data", data.to_str().unwrap(), "--out", on_disk.to_str().unwrap()];
        support::frostline(
            ["new", "--backbone", TEXT_BACKBONE, "--epochs", "3"].iter().chain(&paths).chain(more),
        )
    };
    expect("new project on a full disk", new(&[]));
    assert_eq!(support::snapshot(&disk.0).len(), 1);
    assert!(!on_disk.exists());

    // Room for 16 of 24 rows of 384 values.
    std::fs::remove_file(disk.0.join("ballast")).unwrap();
    disk.change("size=36k");
    new(&[]).code(0);
    expect("full disk while caching", train(&on_disk));
    assert_eq!(run!("runs", on_disk, "--json").stdout, "");
    disk.change("size=8m");
    let events = run!("train", on_disk, "--json").code(0).lines();
    assert_eq!(events.iter().find(|e| e["event"] == "cache").unwrap()["computed"], 8);

    // 590 thousand parameters: 2.4 MB for the best epoch, 7.1 MB for a checkpoint. One of each fits.
    let thaw = "thaw = [\"encoder.layer.5.output.dense\"]";
    edit_recipe(&on_disk, "thaw = []", thaw);
    disk.change("size=13m");
    expect("full disk while checkpointing", train(&on_disk));
    let run = on_disk.join("runs/0002");
    assert_eq!(run!("runs", on_disk, "--json").lines()[1]["epochs"].as_array().unwrap().len(), 1);
    assert!(support::leftovers(&run).is_empty());
    disk.change("size=64m");
    resume(&on_disk).code(0);
    let undisturbed = project(&scratch, TEXT_BACKBONE, &data, &["--epochs", "3"]);
    edit_recipe(&undisturbed, "thaw = []", thaw);
    train(&undisturbed).code(0);
    support::Result::of(&undisturbed, "0001").assert_same(&support::Result::of(&on_disk, "0002"));
    std::fs::remove_dir_all(&on_disk).unwrap();

    // No room for the head, for half of it, for anything beside it.
    let head = std::fs::read_dir(undisturbed.join("runs/0001")).unwrap().flatten();
    let head = head.filter(|entry| entry.file_name().to_string_lossy().starts_with("best-"));
    let pages = head.map(|entry| entry.metadata().unwrap().len().div_ceil(4096)).max().unwrap();
    for pages in [1, pages / 2, pages] {
        disk.change(&format!("size={}k", 4 * pages));
        expect("full disk while exporting", run!("export", undisturbed, "--out", disk.0.join("export")));
        assert_eq!(std::fs::read_dir(&disk.0).unwrap().count(), 0, "{pages} pages");
    }
    disk.change("size=8m");
    run!("export", undisturbed, "--out", disk.0.join("export")).code(0);
}
