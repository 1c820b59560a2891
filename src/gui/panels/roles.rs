//! What the columns of a table are for, and what reading it so gives.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, dim, fact_row, line as tight, section};
use super::super::{Actions, Scene};
use crate::data::scan::glance::{ColumnGlance, TableGlance};
use crate::data::scan::{ColumnChoice, ScanOptions};
use crate::data::target::TargetKind;
use crate::session::Open;
use crate::session::reading::{Consequence, ReadingView};
use crate::units::grouped;
use egui::{ComboBox, RichText, Role, Ui, WidgetInfo};

/// Width of the names before the choosers.
const NAMES: f32 = 52.0;

/// Height of an open menu: all columns of most tables are in sight.
const MENU: f32 = 440.0;

/// A line of a menu, and what choosing it says.
pub struct Entry {
    words: String,
    is_chosen: bool,
    says: ScanOptions,
}

impl Entry {
    /// A line that `says` so.
    pub fn new(words: &str, is_chosen: bool, says: ScanOptions) -> Self {
        Self { words: words.to_string(), is_chosen, says }
    }
}

/// A chooser called `name` that shows `shown`.
pub fn menu(
    ui: &mut Ui,
    name: &str,
    shown: &str,
    width: f32,
    entries: impl IntoIterator<Item = Entry>,
    out: &mut Actions,
) {
    let combo = ComboBox::from_id_salt(name).width(width).height(MENU).selected_text(shown).truncate();
    let response = combo.show_ui(ui, |ui| {
        for entry in entries {
            if ui.selectable_label(entry.is_chosen, &entry.words).clicked() && !entry.is_chosen {
                out.push(Open::SetReading(Box::new(entry.says)));
            }
        }
    });
    response.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, name);
        info.current_text_value = Some(shown.to_string());
        info
    });
}

/// Choosers for the columns, what they give, and the way on.
pub fn show(ui: &mut Ui, scene: &Scene, view: &ReadingView, out: &mut Actions) {
    let table = view.glance.as_ref().and_then(|glance| glance.table.as_ref()).filter(|_| view.reads_table());
    if let Some(table) = table {
        section(ui, "Columns");
        let columns = Columns { table, options: &view.options };
        columns.samples(ui, out);
        columns.labels(ui, out);
        columns.kind(ui, out);
        columns.part(ui, out);
        columns.group(ui, out);
        columns.join(ui, out);
        ui.add_space(theme::SPACE);
    }
    section(ui, "What you get");
    match (table, view.chosen()) {
        (Some(table), _) => gives(ui, table),
        (None, Some(reading)) => {
            fact_row(ui, "Files used", &grouped(reading.samples));
            fact_row(ui, "Classes", &grouped(reading.classes()));
            fact_row(
                ui,
                "Parts",
                &reading.parts.iter().filter(|part| part.part.is_some()).count().to_string(),
            );
        }
        (None, None) => {
            dim(ui, "Nothing yet.");
        }
    }
    ui.add_space(theme::SPACE);
    let (text, more) = match scene.session.consequence() {
        Consequence::NewProject | Consequence::ThisProject => ("Use these columns", None),
        Consequence::AnotherProject => {
            ("Use in a new project", Some("This project keeps its runs and the columns that they rest on."))
        }
    };
    let text = if table.is_none() && text == "Use these columns" { "Read it so" } else { text };
    ui.horizontal_wrapped(|ui| {
        action_button(ui, scene.session, &Open::UseReading, text, true, out);
        if view.options != ScanOptions::default() {
            let anew = Open::SetReading(Box::default());
            action_button(ui, scene.session, &anew, "Start over", false, out);
        }
        action_button(ui, scene.session, &Open::LeaveReading, "Cancel", false, out);
    });
    if let Some(more) = more {
        dim(ui, more);
    }
}

/// The columns of a table and what is said of them.
struct Columns<'t> {
    table: &'t TableGlance,
    options: &'t ScanOptions,
}

impl Columns<'_> {
    fn column(&self, number: Option<usize>) -> Option<&ColumnGlance> {
        self.table.columns.get(number?)
    }

    /// Columns with a name of their own: only these can be named.
    fn names(&self) -> impl Iterator<Item = &str> {
        let is_unique =
            |name: &str| self.table.columns.iter().filter(|column| column.name == name).count() == 1;
        self.table
            .columns
            .iter()
            .map(|c| c.name.as_str())
            .filter(move |name| !name.is_empty() && is_unique(name))
    }

    fn row(
        &self,
        ui: &mut Ui,
        name: &str,
        shown: &str,
        entries: Vec<Entry>,
        below: &[String],
        out: &mut Actions,
    ) {
        let tokens = Tokens::of(ui.ctx());
        ui.horizontal(|ui| {
            ui.allocate_ui(egui::vec2(NAMES, theme::CONTROL_HEIGHT), |ui| {
                ui.set_width(NAMES);
                dim(ui, name);
            });
            let width = ui.available_width() - 2.0;
            menu(ui, name, shown, width, entries, out);
        });
        for line in below.iter().filter(|line| !line.is_empty()) {
            tight(ui, |ui| {
                ui.add_space(NAMES + ui.spacing().item_spacing.x);
                let text = RichText::new(line).font(theme::caption()).color(tokens.dim);
                ui.add(egui::Label::new(text).truncate());
            });
        }
        ui.add_space(2.0);
    }

    /// "4,806 of 4,812 filled".
    fn filled(&self, column: &ColumnGlance) -> String {
        let rows = self.table.looked_at;
        match column.filled == rows {
            true => "every row filled".to_string(),
            false => format!("{} of {} filled", grouped(column.filled), grouped(rows)),
        }
    }

    fn samples(&self, ui: &mut Ui, out: &mut Actions) {
        let roles = &self.table.roles;
        let name = if roles.file.is_some() { "File" } else { "Text" };
        let chosen = self.column(roles.text.or(roles.file));
        let with = |text: Option<&str>, file: Option<&str>| ScanOptions {
            text_column: text.map(str::to_string),
            file_column: file.map(str::to_string),
            ..self.options.clone()
        };
        let (text, file) = (self.options.text_column.as_deref(), self.options.file_column.as_deref());
        let mut entries = vec![Entry::new("Find out", text.is_none() && file.is_none(), with(None, None))];
        entries.extend(self.names().map(|name| Entry::new(name, text == Some(name), with(Some(name), None))));
        entries.extend(self.names().map(|name| {
            Entry::new(&format!("files named by {name}"), file == Some(name), with(None, Some(name)))
        }));
        let about = chosen.map(|column| format!("{}, {}", self.filled(column), words(column.words)));
        let next = self
            .column(roles.next_text)
            .map_or("none".to_string(), |column| format!("{}, {}", column.name, words(column.words)));
        let shown = chosen.map_or("Choose…", |column| &column.name);
        let next = if roles.file.is_some() { String::new() } else { format!("Next best: {next}") };
        self.row(ui, name, shown, entries, &[about.unwrap_or_default(), next], out);
    }

    fn labels(&self, ui: &mut Ui, out: &mut Actions) {
        let roles = &self.table.roles;
        let said = &self.options.label_columns;
        let with = |label_columns: Vec<String>| ScanOptions { label_columns, ..self.options.clone() };
        let mut entries = vec![Entry::new("Find out", said.is_empty(), with(Vec::new()))];
        let only = |name: &str| said.len() == 1 && said.first().is_some_and(|said| said == name);
        entries.extend(self.names().map(|name| Entry::new(name, only(name), with(vec![name.to_string()]))));
        let taken: Vec<String> =
            roles.labels.iter().filter_map(|label| Some(self.column(Some(*label))?.name.clone())).collect();
        let others = self.names().filter(|name| !taken.iter().any(|taken| taken == name));
        let others = others.filter(|_| !taken.is_empty());
        entries.extend(others.map(|name| {
            let both = taken.iter().cloned().chain([name.to_string()]).collect();
            Entry::new(&format!("{} and {name}", taken.join(", ")), false, with(both))
        }));
        let first = self.column(roles.labels.first().copied());
        let about = first.map(|column| match self.table.classes.len() {
            0 => self.filled(column),
            1 => format!("1 class, {}", self.filled(column)),
            classes => format!("{} classes, {}", grouped(classes), self.filled(column)),
        });
        let next = self.column(roles.next_label);
        let next = next.map_or("none".to_string(), |column| format!("{}, {}", column.name, values(column)));
        let shown = if taken.is_empty() { "Choose…".to_string() } else { taken.join(", ") };
        self.row(
            ui,
            "Label",
            &shown,
            entries,
            &[about.unwrap_or_default(), format!("Next best: {next}")],
            out,
        );
    }

    fn kind(&self, ui: &mut Ui, out: &mut Actions) {
        let all = [
            (None, "Find out"),
            (Some(TargetKind::Class), "One class each"),
            (Some(TargetKind::Labels), "Any of several labels"),
            (Some(TargetKind::Numbers), "Numbers"),
        ];
        let chosen = all.iter().find(|(kind, _)| *kind == self.options.target);
        let entries = all.map(|(target, words)| {
            Entry::new(words, target == self.options.target, ScanOptions { target, ..self.options.clone() })
        });
        self.row(ui, "Kind", chosen.map_or("Find out", |(_, words)| words), entries.into(), &[], out);
    }

    fn part(&self, ui: &mut Ui, out: &mut Actions) {
        let with = |part_column| ScanOptions { part_column, ..self.options.clone() };
        let (now, next) = (self.table.roles.part, self.table.roles.next_part);
        let entries = self.optional(&self.options.part_column, with);
        self.row(ui, "Part", self.shown(now), entries, &self.about(now, next), out);
    }

    fn group(&self, ui: &mut Ui, out: &mut Actions) {
        let with = |group_column| ScanOptions { group_column, ..self.options.clone() };
        let (now, next) = (self.table.roles.group, self.table.roles.next_group);
        let entries = self.optional(&self.options.group_column, with);
        let mut below = self.about(now, next).to_vec();
        if now.is_some() {
            below.push("Samples of one group stay in one part.".to_string());
        }
        self.row(ui, "Group", self.shown(now), entries, &below, out);
    }

    /// Entries of a column that need not be there.
    fn optional(
        &self,
        said: &Option<ColumnChoice>,
        with: impl Fn(Option<ColumnChoice>) -> ScanOptions,
    ) -> Vec<Entry> {
        let unused = Some(ColumnChoice::Unused);
        let mut entries = vec![
            Entry::new("Find out", said.is_none(), with(None)),
            Entry::new("None", *said == unused, with(unused)),
        ];
        entries.extend(self.names().map(|name| {
            let column = Some(ColumnChoice::Column(name.to_string()));
            Entry::new(name, *said == column, with(column))
        }));
        entries
    }

    fn shown(&self, column: Option<usize>) -> &str {
        self.column(column).map_or("None", |column| &column.name)
    }

    fn about(&self, now: Option<usize>, next: Option<usize>) -> [String; 2] {
        let now = self.column(now).map(|column| format!("{}, {}", values(column), self.filled(column)));
        let next = self.column(next).map(|column| format!("Could be: {}, {}", column.name, values(column)));
        [now.unwrap_or_default(), next.unwrap_or_default()]
    }

    /// Whether a further column of texts is joined to the first.
    fn join(&self, ui: &mut Ui, out: &mut Actions) {
        let roles = &self.table.roles;
        let further = roles.joined.first().copied().or(roles.can_join);
        let (Some(text), Some(further)) = (self.column(roles.text), self.column(further)) else { return };
        let mut is_joined = !roles.joined.is_empty();
        let words = format!("Join {} and {} as one text", further.name, text.name);
        if ui.checkbox(&mut is_joined, words).changed() {
            let joined_columns = if is_joined { vec![further.name.clone()] } else { Vec::new() };
            out.push(Open::SetReading(Box::new(ScanOptions { joined_columns, ..self.options.clone() })));
        }
    }
}

/// "21 words".
fn words(mean: f64) -> String {
    let mean = mean.round() as usize;
    format!("{} word{}", grouped(mean), if mean == 1 { "" } else { "s" })
}

fn values(column: &ColumnGlance) -> String {
    format!("{} value{}", grouped(column.distinct), if column.distinct == 1 { "" } else { "s" })
}

/// What reading the table so gives, as far as the rows that were looked at say.
fn gives(ui: &mut Ui, table: &TableGlance) {
    fact_row(ui, "Rows", &table.total.map_or("not counted".to_string(), grouped));
    if table.total.is_none_or(|total| total > table.looked_at) {
        fact_row(ui, "Looked at", &grouped(table.looked_at));
    }
    let sample = table.roles.text.or(table.roles.file).and_then(|column| table.columns.get(column));
    if let Some(sample) = sample {
        fact_row(ui, "With nothing in it", &grouped(table.looked_at.saturating_sub(sample.filled)));
    }
    let smallest = table.classes.iter().min_by_key(|(_, count)| *count);
    if let Some((name, samples)) = smallest {
        fact_row(ui, "Classes", &grouped(table.classes.len()));
        fact_row(ui, "Smallest", &format!("{name}, {}", grouped(*samples)));
    }
}
