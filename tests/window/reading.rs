//! How data is to be read: columns that are chosen before and changed later, and folders that can be read in two ways.

use crate::harness::{Window, in_private_home, pictures};
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use frostline::data::scan::LayoutChoice;
use frostline::project::Project;
use frostline::session::reading::Consequence;
use frostline::session::{Job, Session};
use std::path::Path;

/// Tickets with a title line above their header, two columns of texts, two that could be labels, customers and parts.
pub fn tickets() -> String {
    let row = |n: usize| {
        let team = ["billing", "delivery", "technical"][n % 3];
        let subject = ["Card declined twice", "Where is my parcel", "App closes on start"][n % 3];
        let fold = if n.is_multiple_of(5) { "test" } else { "train" };
        format!(
            "{};{subject}, case {n};I wrote about ticket {n} and {team} before, and nothing happened since;{team};{};C-{};{fold}\n",
            10040 + n,
            n % 4,
            2000 + n / 4 * 7,
        )
    };
    let rows: String = (1..=60).map(row).collect();
    format!("Export of all tickets\n\nid;subject;message;team;priority;customer;fold\n{rows}")
}

fn is_looked_at(session: &Session) -> bool {
    session.job.is_none() && session.reading.as_ref().is_some_and(|view| view.glance.is_some())
}

/// Chooses in the menu `name`, and waits for the look that follows.
fn say(window: &mut Window, name: &str, value: &str) {
    window.choose(name, value);
    window.wait("look", is_looked_at);
}

#[test]
fn columns_are_changed_later_and_runs_keep_theirs() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("tickets.csv");
        std::fs::write(&table, tickets()).unwrap();
        let mut window = Window::open();
        window.open_data(&table);
        let first = window.project().folder.clone();
        assert_eq!(window.project().index.classes, ["billing", "delivery", "technical"]);
        window.press("Columns…");
        window.wait("look", is_looked_at);
        assert_eq!(window.session().consequence(), Consequence::ThisProject);
        say(&mut window, "Label", "priority");
        say(&mut window, "Part", "None");
        say(&mut window, "Group", "customer");
        window.click("Join subject and message as one text");
        window.wait("look", is_looked_at);
        window.press("Use these columns");
        window.wait("project", |s| s.reading.is_none() && s.job.is_none());
        let project = window.project();
        let told: Vec<&str> = window.session().toasts.iter().map(|toast| toast.text.as_str()).collect();
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(project.folder, first);
        assert_eq!(project.index.classes, ["0", "1", "2", "3"]);
        assert!(project.index.items.iter().all(|item| item.part.is_none()));
        let text = project.index.items[0].text.as_deref().unwrap();
        assert!(text.contains("parcel") && text.contains("nothing happened"), "{text}");
        // What was chosen is the project's on the disk, too.
        window.wait_for_writes();
        let recipe = Project::open(&first).unwrap().recipe().unwrap();
        assert_eq!(recipe.data.label_columns, ["priority"]);
        // A run rests on its columns: others make another project.
        window.wait("backbone", |s| s.backbone().is_some());
        window.set_training(|t| t.epochs = 1);
        window.act(Job::Train);
        window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
        window.go_to("Data");
        window.press("Columns…");
        window.wait("look", is_looked_at);
        say(&mut window, "Label", "team");
        assert_eq!(window.session().consequence(), Consequence::AnotherProject);
        window.press("Use in a new project");
        window.wait("project", move |s| {
            s.project.as_ref().is_some_and(|p| p.folder != first) && s.reading.is_none()
        });
        assert_eq!(window.project().index.classes, ["billing", "delivery", "technical"]);
        assert!(window.project().runs.is_empty());
    });
}

#[test]
fn a_table_that_does_not_say_its_columns_is_asked_about() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("notes.csv");
        let rows: String = (0..24).map(|n| format!("{n},a b,c d {},e f\n", n % 2)).collect();
        std::fs::write(&table, format!("alpha,beta,gamma,delta\n{rows}")).unwrap();
        let mut window = Window::open();
        window.drop(&table);
        window.wait("look", is_looked_at);
        assert!(window.session().project.is_none());
        // What is missing is said, and that nothing can be read before.
        let button = window.harness.get_by_role_and_label(Role::Button, "Use these columns");
        let is_open = !button.accesskit_node().is_disabled();
        assert_eq!(is_open, window.session().why_not(&frostline::session::Open::UseReading).is_none());
        say(&mut window, "Text", "beta");
        say(&mut window, "Label", "gamma");
        window.press("Use these columns");
        window.wait("project", |s| s.project.is_some());
        assert_eq!(window.project().index.classes, ["c d 0", "c d 1"]);
        assert_eq!(window.project().recipe.data.text_column.as_deref(), Some("beta"));
    });
}

#[test]
fn a_question_that_is_left_changes_nothing() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("tickets.csv");
        std::fs::write(&table, tickets()).unwrap();
        let mut window = Window::open();
        window.open_data(&table);
        let before = window.project().recipe.clone();
        window.press("Columns…");
        window.wait("look", is_looked_at);
        say(&mut window, "Separator", "tab");
        window.press("Start over");
        window.wait("look", is_looked_at);
        window.press("Cancel");
        assert!(window.session().reading.is_none());
        assert_eq!(window.project().recipe, before);
    });
}

/// Pictures in two folders with a table that says something else of them.
pub fn two_readings(root: &Path) {
    pictures(root);
    let mut files: Vec<String> = Vec::new();
    for class in std::fs::read_dir(root).unwrap().flatten() {
        let name = class.file_name().into_string().unwrap();
        let inner = std::fs::read_dir(class.path()).unwrap().flatten();
        files.extend(inner.map(|file| format!("{name}/{}", file.file_name().into_string().unwrap())));
    }
    files.sort();
    let rows = files.iter().enumerate().map(|(n, file)| format!("{file},{}\n", ["day", "night"][n % 2]));
    std::fs::write(root.join("labels.csv"), format!("file,label\n{}", rows.collect::<String>())).unwrap();
}

#[test]
fn a_folder_with_two_readings_is_a_question() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        two_readings(folder.path());
        let mut window = Window::open();
        window.drop(folder.path());
        window.wait("look", is_looked_at);
        assert!(window.session().project.is_none());
        let readings = &window.session().reading.as_ref().unwrap().glance.as_ref().unwrap().readings;
        let layouts: Vec<LayoutChoice> = readings.iter().map(|reading| reading.layout).collect();
        assert_eq!(layouts, [LayoutChoice::Table, LayoutChoice::Folders]);
        window.harness.get_all_by_role(Role::RadioButton).last().unwrap().click();
        window.harness.run_steps(3);
        window.wait("look", is_looked_at);
        window.press("Read it so");
        window.wait("project", |s| s.project.is_some());
        assert!(!window.project().index.classes.contains(&"day".to_string()));
        assert_eq!(window.project().recipe.data.layout, Some(LayoutChoice::Folders));
    });
}

/// Pictures of two moods of two sexes, a folder each within a folder each.
pub fn same_folders(root: &Path) {
    for (n, (outer, inner)) in
        [("female", "glad"), ("female", "sad"), ("male", "glad"), ("male", "sad")].into_iter().enumerate()
    {
        let folder = root.join(outer).join(inner);
        std::fs::create_dir_all(&folder).unwrap();
        for picture in 0..3u8 {
            let shade = image::Rgb([60 * n as u8, 80 * picture, 90]);
            image::RgbImage::from_pixel(32, 32, shade).save(folder.join(format!("{picture}.png"))).unwrap();
        }
    }
}

#[test]
fn folders_that_hold_the_same_folders_are_a_question() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        same_folders(folder.path());
        let mut window = Window::open();
        window.drop(folder.path());
        window.wait("look", is_looked_at);
        let readings = &window.session().reading.as_ref().unwrap().glance.as_ref().unwrap().readings;
        let layouts: Vec<LayoutChoice> = readings.iter().map(|reading| reading.layout).collect();
        assert_eq!(layouts, [LayoutChoice::Folders, LayoutChoice::Inner]);
        window.harness.get_by_label("2 classes by inner folder").click();
        window.harness.run_steps(3);
        window.wait("look", is_looked_at);
        window.press("Read it so");
        window.wait("project", |s| s.project.is_some());
        assert_eq!(window.project().index.classes, ["glad", "sad"]);
        assert_eq!(window.project().recipe.data.layout, Some(LayoutChoice::Inner));
    });
}

#[test]
fn spellings_of_a_class_are_one_by_a_button() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("reviews.csv");
        let label = |n: usize| ["good", "Good", "bad", "bad."][n % 4];
        let rows: String =
            (0..40).map(|n| format!("this is the review of thing {n},{}\n", label(n))).collect();
        std::fs::write(&table, format!("text,label\n{rows}")).unwrap();
        let mut window = Window::open();
        window.open_data(&table);
        assert_eq!(window.project().index.classes.len(), 4);
        let before = window.project().folder.clone();
        window.press("Take them as one class");
        window.wait("project", |s| s.project.as_ref().is_some_and(|p| p.index.classes.len() == 2));
        assert_eq!(window.project().folder, before);
        assert!(window.session().reading.is_none());
        window.wait_for_writes();
        // It is remembered with the project.
        let recipe = Project::open(&before).unwrap().recipe().unwrap();
        assert!(recipe.scan_options().merge_spellings);
    });
}
