//! What one UI pass costs, how the window fares beside a training, and that it rests when nothing happens.
//!
//! `cargo bench --bench window` runs everything, `cargo bench --bench window -- layers train` two scenes of it. Every
//! scene runs in a process of its own with a private home. `benches/README.md` tells the limits and the last results.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails ends")]

mod data;
mod driver;
mod idle;
mod made_up;
mod measure;
mod memory;
mod passes;
mod training;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name, what heads its output, and what runs it.
const SCENES: [(&str, &str, fn()); 10] = [
    ("start", PASSES, passes::start),
    ("pictures", PASSES, data::pictures),
    ("texts", PASSES, data::texts),
    ("layers", PASSES, passes::layers),
    ("models", PASSES, passes::models),
    ("train", PASSES, passes::train),
    ("idle", "Idle: what is asked of the system when nothing happens", idle::idle),
    ("memory-facts", MEMORY, memory::facts),
    ("memory-training", MEMORY, memory::training),
    ("beside-training", TRAINING, training::beside),
];
const PASSES: &str = "One UI pass: logic, ui, tessellation; 1280 x 800";
const MEMORY: &str = "Resident memory over 500 epochs";
const TRAINING: &str = "Beside a full fine-tuning on all cores";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, scene] = arguments.as_slice()
        && flag == "--scene"
    {
        let (_, _, run) = SCENES.iter().find(|(name, ..)| name == scene).expect("a known scene");
        return run();
    }
    let mut heading = "";
    for (name, section, _) in SCENES {
        if !arguments.is_empty() && !arguments.iter().any(|a| a == name) {
            continue;
        }
        if heading != section {
            println!("\n{section}\n");
            if section == PASSES {
                measure::head();
            }
            heading = section;
        }
        run_apart(name);
    }
}

/// Runs a scene in a process of its own: what it remembers and the memory it takes are its own.
fn run_apart(scene: &str) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("the path of this program");
    let status = std::process::Command::new(program)
        .args(["--scene", scene])
        .env("FROSTLINE_HOME", home.path())
        .env("HF_HOME", home.path().join("hf"))
        .status()
        .expect("a process");
    assert!(status.success(), "{scene} failed; its words stand above");
}
