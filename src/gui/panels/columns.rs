//! How data is to be read: the first rows of a table with what its columns are taken for, how it is written, and the ways to
//! read a folder.

use super::super::theme::{self, Tokens};
use super::super::widgets::{banner, card, dim, page_title, section, text_in};
use super::super::{Actions, Scene};
use super::roles::{Entry, menu};
use crate::data::scan::glance::TableGlance;
use crate::data::scan::readings::{PartCounts, Reading};
use crate::data::scan::{LayoutChoice, ScanOptions, Separator, TextEncoding, Writing};
use crate::session::Open;
use crate::session::reading::ReadingView;
use crate::units::grouped;
use egui::{
    Align, CornerRadius, Frame, Margin, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo,
    pos2, vec2,
};

/// Of a row of the table.
const ROW: f32 = 27.0;
/// Between a card and what stands in it.
const INSET: f32 = 8.0;
/// The least of a cell that is worth showing at the edge.
const GLIMPSE: f32 = 24.0;
/// Of the column of line numbers.
const LINES: f32 = 44.0;
/// Widths of a column, about, of a letter, and the most and the least of a column.
const LETTER: f32 = 7.2;
const NARROWEST: f32 = 64.0;
const WIDEST: f32 = 250.0;
/// A column that is narrower gives nothing to others.
const READABLE: f32 = 110.0;
/// Lines that can be said to be the header.
const HEADER_LINES: u32 = 12;
/// Classes that are listed by name.
const LISTED: usize = 4;

/// The table or the folder that is asked about.
pub fn show(ui: &mut Ui, _scene: &Scene, view: &ReadingView, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    page_title(ui, "Data", &sentence(view));
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let unclear = view.glance.as_ref().and_then(|glance| glance.table.as_ref()?.unclear.as_ref());
        let unclear = unclear.filter(|_| view.reads_table());
        if let Some(why) = view.problem.as_ref().or(unclear) {
            banner(ui, tokens.warning, "This has to be said first.", why);
            ui.add_space(theme::SPACE);
        }
        let Some(glance) = &view.glance else { return };
        if glance.readings.len() > 1 {
            readings(ui, view, &glance.readings, out);
            ui.add_space(theme::SPACE);
        }
        match &glance.table {
            Some(table) if view.reads_table() => {
                writing(ui, view, table, out);
                ui.add_space(4.0);
                rows(ui, table);
            }
            Some(_) | None => {}
        }
    });
}

fn sentence(view: &ReadingView) -> String {
    let name = |path: &std::path::Path| {
        path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
    };
    let place = name(&view.path);
    match &view.glance {
        None => format!("Looking at {place}…"),
        Some(glance) => match &glance.table {
            Some(table) if view.reads_table() => {
                let count = table.total.unwrap_or(table.looked_at);
                let rows = if table.total.is_some() { grouped(count) } else { "many".to_string() };
                format!(
                    "{}: {rows} rows, {} columns; the first {} are shown. Nothing is changed in the file.",
                    name(&table.file),
                    table.columns.len(),
                    table.rows.len()
                )
            }
            Some(_) | None => {
                format!("{place}: say what is the class of a file; nothing is moved or changed.")
            }
        },
    }
}

/// How the table is written, as far as that can be said.
fn writing(ui: &mut Ui, view: &ReadingView, table: &TableGlance, out: &mut Actions) {
    let said = &view.options.writing;
    let with = |writing: Writing| ScanOptions { writing, ..view.options.clone() };
    ui.horizontal_wrapped(|ui| {
        if let Some(found) = table.separator {
            let shown = found.name();
            let find_out = Entry::new(
                "Find out",
                said.separator.is_none(),
                with(Writing { separator: None, ..said.clone() }),
            );
            let others = Separator::ALL.into_iter().map(|separator| {
                let writing = Writing { separator: Some(separator), ..said.clone() };
                Entry::new(separator.name(), said.separator == Some(separator), with(writing))
            });
            dim(ui, "Separator");
            menu(ui, "Separator", shown, 96.0, std::iter::once(find_out).chain(others), out);
        }
        let find_out =
            Entry::new("Find out", said.encoding.is_none(), with(Writing { encoding: None, ..said.clone() }));
        let others = TextEncoding::USUAL.into_iter().map(|encoding| {
            let writing = Writing { encoding: Some(encoding), ..said.clone() };
            Entry::new(encoding.name(), said.encoding == Some(encoding), with(writing))
        });
        dim(ui, "Encoding");
        menu(ui, "Encoding", table.encoding, 116.0, std::iter::once(find_out).chain(others), out);
        if table.separator.is_some() {
            header(ui, view, table, out);
        }
    });
}

fn header(ui: &mut Ui, view: &ReadingView, table: &TableGlance, out: &mut Actions) {
    let said = &view.options.writing;
    let line = |number: u32| if number == 0 { "none".to_string() } else { format!("line {number}") };
    let shown = table.header_line.map_or(0, |line| u32::try_from(line).unwrap_or(u32::MAX));
    let with = |header_line: Option<u32>| ScanOptions {
        writing: Writing { header_line, ..said.clone() },
        ..view.options.clone()
    };
    let find_out = Entry::new("Find out", said.header_line.is_none(), with(None));
    let others = (0..=HEADER_LINES)
        .map(|number| Entry::new(&line(number), said.header_line == Some(number), with(Some(number))));
    dim(ui, "Header");
    menu(ui, "Header", &line(shown), 84.0, std::iter::once(find_out).chain(others), out);
}

/// What a column is taken for, and whether that is only what it might be.
fn role(table: &TableGlance, column: usize) -> Option<(&'static str, bool)> {
    let roles = &table.roles;
    let is = |role: Option<usize>| role == Some(column);
    let all = [
        (is(roles.text), "text", true),
        (is(roles.file), "file", true),
        (roles.labels.contains(&column), "label", true),
        (roles.joined.contains(&column), "joined", true),
        (is(roles.part), "part", true),
        (is(roles.group), "group", true),
        (is(roles.can_join), "can be joined", false),
        (is(roles.next_label), "next best label", false),
        (is(roles.next_text), "next best text", false),
        (is(roles.next_group), "could be a group", false),
        (is(roles.next_part), "could be a part", false),
    ];
    all.into_iter().find(|(fits, ..)| *fits).map(|(_, words, is_taken)| (words, is_taken))
}

/// The first rows below what their columns are taken for.
fn rows(ui: &mut Ui, table: &TableGlance) {
    // What is in sight: the table itself may be wider.
    let room = ui.available_width().min(ui.clip_rect().right() - ui.cursor().left()) - 2.0 * INSET - 2.0;
    card_frame(ui).show(ui, |ui| {
        ui.set_width(room);
        ScrollArea::horizontal().max_width(room).auto_shrink([false, true]).show(ui, |ui| {
            let widths = widths(table, room - LINES);
            let width: f32 = LINES + widths.iter().sum::<f32>();
            ui.spacing_mut().item_spacing.y = 0.0;
            role_row(ui, table, &widths, width);
            let passed: Vec<String> = table.above.iter().map(u64::to_string).collect();
            if !passed.is_empty() {
                let lines = if passed.len() == 1 { "Line" } else { "Lines" };
                let words = format!("{lines} {}, above the header: passed over", passed.join(", "));
                table_row(ui, Line { words: &words, ..Line::plain(width) });
            }
            if let Some(line) = table.header_line {
                let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                table_row(
                    ui,
                    Line {
                        number: Some(line),
                        cells: &names,
                        widths: &widths,
                        is_header: true,
                        ..Line::plain(width)
                    },
                );
            }
            for row in &table.rows {
                let cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
                table_row(
                    ui,
                    Line { number: Some(row.line), cells: &cells, widths: &widths, ..Line::plain(width) },
                );
            }
        });
    });
}

fn card_frame(ui: &Ui) -> Frame {
    let tokens = Tokens::of(ui.ctx());
    Frame::new()
        .fill(tokens.panel)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(CornerRadius::same(theme::CARD_CORNER))
        .inner_margin(Margin::same(INSET as i8))
}

/// As wide as what stands in them, the widest taking what is left over.
fn widths(table: &TableGlance, room: f32) -> Vec<f32> {
    let letters = |text: &str| text.chars().take(60).count();
    let longest = |column: usize| {
        let name = table.columns.get(column).map_or(0, |facts| letters(&facts.name));
        let cells = table.rows.iter().filter_map(|row| row.cells.get(column)).map(|cell| letters(cell));
        let role = role(table, column).map_or(0, |(words, _)| letters(words) + 2);
        cells.max().unwrap_or(0).max(name).max(role)
    };
    let mut widths: Vec<f32> = (0..table.columns.len())
        .map(|column| (longest(column) as f32 * LETTER + 16.0).clamp(NARROWEST, WIDEST))
        .collect();
    // What does not fit is taken from the widest, as far as something can still be read in it.
    let widest = |widths: &[f32]| widths.iter().copied().fold(0.0, f32::max);
    while widths.iter().sum::<f32>() > room && widest(&widths) > READABLE {
        let most = widest(&widths);
        widths.iter_mut().filter(|width| **width >= most).for_each(|width| *width -= 4.0);
    }
    let (left, most) = (room - widths.iter().sum::<f32>(), widest(&widths));
    if let Some(width) = widths.iter_mut().find(|width| **width >= most) {
        *width += left.max(0.0);
    }
    widths
}

fn role_row(ui: &mut Ui, table: &TableGlance, widths: &[f32], width: f32) {
    let tokens = Tokens::of(ui.ctx());
    let (row, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::hover());
    let mut left = row.left() + LINES;
    let mut spoken: Vec<String> = Vec::new();
    for (column, width) in widths.iter().enumerate() {
        if let Some((words, is_taken)) = role(table, column) {
            let (ground, colour) =
                if is_taken { (tokens.ice_ground, tokens.ice) } else { (tokens.raised, tokens.dim) };
            let galley = ui.painter().layout_no_wrap(words.to_string(), theme::caption(), colour);
            let size = galley.size() + vec2(14.0, 4.0);
            let place = Rect::from_min_size(pos2(left, row.center().y - size.y / 2.0), size);
            if place.right() <= ui.clip_rect().right() {
                ui.painter().rect_filled(place, CornerRadius::same(9), ground);
                ui.painter().galley(place.min + vec2(7.0, 2.0), galley, colour);
            }
            let name = table.columns.get(column).map_or("", |facts| facts.name.as_str());
            spoken.push(format!("{name}: {words}"));
        }
        left += width;
    }
    let spoken = spoken.join(", ");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
}

/// A row as it is painted: cells, or words over all of it.
struct Line<'t> {
    number: Option<u64>,
    cells: &'t [&'t str],
    widths: &'t [f32],
    words: &'t str,
    is_header: bool,
    width: f32,
}

impl Line<'_> {
    fn plain(width: f32) -> Self {
        Self { number: None, cells: &[], widths: &[], words: "", is_header: false, width }
    }
}

fn table_row(ui: &mut Ui, line: Line) {
    let tokens = Tokens::of(ui.ctx());
    let (row, response) = ui.allocate_exact_size(vec2(line.width, ROW), Sense::hover());
    let (font, colour) =
        if line.is_header { (theme::section(), tokens.text) } else { (theme::body(), tokens.text) };
    if line.is_header {
        ui.painter().rect_filled(row.intersect(ui.clip_rect()), CornerRadius::same(4), tokens.ice_ground);
    }
    let number = line.number.map(|number| number.to_string()).unwrap_or_default();
    let place = |left: f32, width: f32| Rect::from_min_size(pos2(left, row.top()), vec2(width, row.height()));
    text_in(ui, place(row.left() + 6.0, LINES - 14.0), Align::Min, &number, theme::caption(), tokens.dim);
    let mut left = row.left() + LINES;
    for (cell, width) in line.cells.iter().zip(line.widths) {
        let shown: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let seen = (width - 10.0).min(ui.clip_rect().right() - left);
        if seen > GLIMPSE.min(width - 10.0) {
            text_in(ui, place(left, seen), Align::Min, &shown, font.clone(), colour);
        }
        left += width;
    }
    text_in(
        ui,
        place(row.left() + LINES, (ui.clip_rect().right() - row.left() - LINES).max(0.0)),
        Align::Min,
        line.words,
        theme::caption(),
        tokens.dim,
    );
    let spoken = if line.words.is_empty() { line.cells.join(", ") } else { line.words.to_string() };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
}

/// The ways to read the folder side by side, one of them chosen.
fn readings(ui: &mut Ui, view: &ReadingView, all: &[Reading], out: &mut Actions) {
    let chosen = view.chosen();
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        let number = match all.len() {
            2 => "two",
            3 => "three",
            _ => "several",
        };
        section(ui, &format!("This folder can be read in {number} ways"));
        ui.add_space(4.0);
        ui.columns(all.len(), |columns| {
            for (ui, reading) in columns.iter_mut().zip(all) {
                reading_card(ui, reading, chosen == Some(reading), out);
            }
        });
    });
}

fn reading_card(ui: &mut Ui, reading: &Reading, is_chosen: bool, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let edge = if is_chosen { tokens.ice } else { tokens.line };
    let frame = card_frame(ui).stroke(Stroke::new(1.0, edge)).fill(tokens.raised);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        let by = said_by(reading.layout);
        let title = match (reading.classes(), reading.parts.len()) {
            (0, _) => format!("{} files with numbers, by {by}", grouped(reading.samples)),
            (1, _) => format!("1 class by {by}"),
            (classes, 0 | 1) => format!("{} classes by {by}", grouped(classes)),
            (classes, parts) => format!("{} classes by {by}, in {parts} parts", grouped(classes)),
        };
        if ui.radio(is_chosen, RichText::new(title).font(theme::section())).clicked() && !is_chosen {
            let options = ScanOptions { layout: Some(reading.layout), ..ScanOptions::default() };
            out.push(Open::SetReading(Box::new(options)));
        }
        for part in &reading.parts {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().interact_size.y = theme::LINE;
                if let Some(part) = part.part {
                    ui.label(RichText::new(part.name()).font(theme::mono()));
                }
                dim(ui, listed(part));
            });
        }
        let words = format!("{}; {}.", files(reading.samples), reading.layout.words());
        ui.label(RichText::new(words).font(theme::caption()).color(tokens.dim));
    });
}

/// What says the class, in a word or two.
fn said_by(layout: LayoutChoice) -> &'static str {
    match layout {
        LayoutChoice::Folders => "folder",
        LayoutChoice::Inner => "inner folder",
        LayoutChoice::Table => "table",
        LayoutChoice::Names => "file name",
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_string() } else { format!("{} files", grouped(count)) }
}

/// "cat 410, dog 388 and 2 more".
fn listed(part: &PartCounts) -> String {
    let named: Vec<String> =
        part.classes.iter().take(LISTED).map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
    let more = part.classes.len().saturating_sub(LISTED);
    let tail = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
    format!("{}{tail}", named.join(", "))
}
