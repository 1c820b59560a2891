//! What a front end can ask for, one function each. Every job takes a `&dyn Control`, never prints, and reads
//! top-down: this folder is the path of the data.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod create;
mod export;
mod hub;
mod inspect;
mod open;
mod predict;
mod save;
mod score;
mod train;

pub use create::{NewProject, create};
pub use export::{Carries, export, folder_to_name};
pub use hub::{add_local, hub_download, hub_host, hub_page, library, remove, search_hub, search_on, verify};
pub use inspect::{calibrate, filter_tiles, inspect_weights};
pub use open::{FreshData, Opened, create_in_home, is_export, look, open, read_as};
pub use predict::{ModelSource, Prediction, Questions, predict};
pub use save::{remember, save_recipe};
pub use score::{EvaluateWhat, evaluate};
pub use train::{Trained, train, train_recipe};

use crate::control::{Control, Fact};
use crate::data::index::{DatasetIndex, Digest, Item};
use crate::data::scan::{KnownFiles, ScanError, ScanOptions, Scanned, scan_known};
use crate::problem::{Problem, Result};
use crate::project::device::{DeviceName, DeviceOffer};
use crate::project::{Machine, Project, Recipe, kept_index};
use crate::remedy::Remedy;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

/// What this build could compute on, and whether it answers.
pub fn devices() -> Vec<DeviceOffer> {
    DeviceName::ALL.into_iter().map(DeviceOffer::of).collect()
}

/// Reads a dataset and says what it found.
///
/// # Errors
/// There is no data at `root`, or a named column is missing.
pub fn scan(root: &Path, options: &ScanOptions, control: &dyn Control) -> Result<DatasetIndex> {
    Ok(scan_with(root, options, &KnownFiles::default(), control)?.index)
}

/// Reads the data of the project in `folder`, less those files that it knows and that have not changed.
///
/// # Errors
/// As for [`scan`].
pub fn scan_kept(
    folder: &Path,
    root: &Path,
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<DatasetIndex> {
    let known = kept_index::read(folder, root, options);
    let scanned = scan_with(root, options, &known, control)?;
    if scanned.known != known {
        kept_index::write(folder, root, options, scanned.known);
    }
    Ok(scanned.index)
}

fn scan_with(
    root: &Path,
    options: &ScanOptions,
    known: &KnownFiles,
    control: &dyn Control,
) -> Result<Scanned> {
    let started = Instant::now();
    let scanned = scan_known(root, options, known, control)?;
    report_scan(&scanned.index, started, control);
    Ok(scanned)
}

/// Reads a dataset by the label columns `names`, or as `options` say where it has not all of them.
fn scan_named(
    root: &Path,
    names: &[String],
    options: &ScanOptions,
    control: &dyn Control,
) -> Result<DatasetIndex> {
    let started = Instant::now();
    let by_name = ScanOptions { label_columns: names.to_vec(), ..options.clone() };
    let index = match crate::data::scan::scan(root, &by_name, control) {
        Err(ScanError::UnknownColumn { asked, .. }) if names.contains(&asked) => {
            return scan(root, options, control);
        }
        other => other?,
    };
    report_scan(&index, started, control);
    Ok(index)
}

fn report_scan(index: &DatasetIndex, started: Instant, control: &dyn Control) {
    control.report(Fact::Scan {
        items: index.items.len() as u64,
        classes: index.classes.len() as u64,
        findings: index.findings.len() as u64,
        seconds: started.elapsed().as_secs_f64(),
    });
}

/// Reads the data that a recipe names.
fn scan_of(project: &Project, recipe: &Recipe, control: &dyn Control) -> Result<DatasetIndex> {
    let options = recipe.scan_options();
    let path = project.resolve(&recipe.data.path);
    match path.exists() {
        true => scan_kept(project.folder(), &path, &options, control),
        false => Err(Problem::input(
            "the data of this project is not there",
            "its path leads nowhere; it was moved, renamed, or its disk is not connected",
            Remedy::FindData,
        )
        .at(path)),
    }
}

/// Forgets what the project knows of its data where one of `items` is no longer what the index says, though no time of
/// the file has changed: the next reading then finds out.
fn forget_if_changed(project: &Project, index: &DatasetIndex, items: impl IntoIterator<Item = usize>) {
    let is_changed = |item: &Item| {
        let is_other = |bytes: Vec<u8>| Digest::of(&bytes) != item.digest;
        item.text.is_none() && std::fs::read(index.full_path(item)).is_ok_and(is_other)
    };
    if items.into_iter().filter_map(|number| index.items.get(number)).any(is_changed) {
        kept_index::forget(project.folder());
    }
}

/// Runs `work` in a pool of the machine's compute threads. A panic in it is a bug and comes back as a problem, so
/// that whoever asked hears how the job ended.
fn in_pool<R: Send>(machine: &Machine, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let _kept = crate::nn::FreedMemoryKept::new();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(machine.threads)
        .thread_name(|n| format!("compute-{n}"))
        .build();
    let pool = pool.map_err(|e| {
        Problem::other("the compute threads could not be started", e.to_string(), Remedy::FewerThreads)
    })?;
    catch_unwind(AssertUnwindSafe(|| pool.install(work))).unwrap_or_else(|panic| {
        let remedy = "please report this with the message";
        Err(Problem::of_panic("Frostline failed by a fault of its own", panic.as_ref(), remedy))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::data::target::TargetKind;
    use crate::project::recipe::DataChoice;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_panic_becomes_a_problem() {
        let problem = in_pool::<()>(&Machine::cpu(), || panic!("index {} is out of bounds", 7)).unwrap_err();
        assert_eq!(problem.why, "index 7 is out of bounds");
    }

    /// A project, and data of two labelled files that are a minute old.
    fn project_with_data() -> (tempfile::TempDir, Project, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (home, data) = (folder.path().join("project"), folder.path().join("data"));
        let recipe = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
        let project = Project::create(&home, &recipe).unwrap();
        for (seed, path) in ["cat/1.png", "dog/1.png"].iter().enumerate() {
            let path = data.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::RgbImage::from_pixel(4, 4, image::Rgb([seed as u8, 2, 3])).save(&path).unwrap();
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
        (folder, project, data)
    }

    #[test]
    fn a_project_keeps_what_it_knows_of_its_data() {
        let (_folder, project, data) = project_with_data();
        let kept = project.folder().join("index.json");
        let read = || scan_kept(project.folder(), &data, &ScanOptions::default(), &Silent).unwrap();
        let once = read();
        let about = std::fs::metadata(&kept).unwrap();
        assert_eq!(read(), once);
        // Nothing was new, so nothing was written.
        assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), about.modified().unwrap());
        std::fs::remove_file(data.join("cat/1.png")).unwrap();
        assert_eq!(read().items.len(), 1);
        // What any one may ask without a project leaves nothing behind.
        std::fs::remove_file(&kept).unwrap();
        scan(&data, &ScanOptions::default(), &Silent).unwrap();
        assert!(!kept.exists());
    }

    #[test]
    fn a_sample_that_is_another_makes_the_project_forget() {
        let (_folder, project, data) = project_with_data();
        let kept = project.folder().join("index.json");
        let index = scan_kept(project.folder(), &data, &ScanOptions::default(), &Silent).unwrap();
        forget_if_changed(&project, &index, [0, 1]);
        assert!(kept.exists());
        image::RgbImage::from_pixel(4, 4, image::Rgb([9, 9, 9])).save(data.join("dog/1.png")).unwrap();
        forget_if_changed(&project, &index, [0]);
        assert!(kept.exists());
        forget_if_changed(&project, &index, [1]);
        assert!(!kept.exists());
    }

    #[test]
    fn a_new_recipe_names_the_columns_that_were_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.csv");
        let rows: String = (0..100).map(|n| format!("text {n},{},{}.25\n", 50 + n % 31, n % 90)).collect();
        std::fs::write(&data, format!("text,weight,price\n{rows}")).unwrap();
        let index = scan(&data, &ScanOptions::default(), &Silent).unwrap();
        let asked = ScanOptions::default();
        let choice = DataChoice::new(Default::default(), &asked, &index.layout);
        assert_eq!(
            (choice.text_column.as_deref(), &choice.label_columns[..]),
            (Some("text"), &["weight".to_owned()][..])
        );
        let named = ScanOptions { label_columns: vec!["price".into()], ..ScanOptions::default() };
        assert_eq!(DataChoice::new(Default::default(), &named, &index.layout).label_columns, ["price"]);
        let (_folder, _, folders) = project_with_data();
        let index = scan(&folders, &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(DataChoice::new(Default::default(), &asked, &index.layout), DataChoice::default());
    }

    #[test]
    fn other_data_is_read_by_the_labels_of_the_model_where_it_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a.csv");
        let options = ScanOptions { target: Some(TargetKind::Labels), ..ScanOptions::default() };
        let read = |names: &[&str], table: &str| {
            std::fs::write(&data, table).unwrap();
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            scan_named(&data, &names, &options, &Silent).unwrap().classes
        };
        let marks = "id,text,x,y,z,w\nk,a,1,0,false,0\nl,b,0,0,true,1\nm,c,1,0,false,1\n";
        assert_eq!(read(&["x", "y", "z"], marks), ["x", "y", "z"]);
        assert_eq!(read(&["y", "X"], marks), ["X", "y"]);
        // As without names where one of them is no column.
        assert_eq!(read(&["x", "q"], marks), ["w", "x", "y"]);
        assert_eq!(read(&["x", "y"], "text,tags\na,x;y\nb,y\nc,x\n"), ["x", "y"]);
    }
}
