//! `frostline hub`: find, download and keep backbones.

use super::args::HubCommand;
use super::control::Console;
use super::print::tell;
use super::print::{print_json, print_text};
use super::show::{self, one_line};
use super::{DONE, FAILED};
use crate::data::modality::Modality;
use crate::hub::library::{Kept, Source, Verified};
use crate::hub::{Downloaded, Found, ModelPage, Query};
use crate::jobs;
use crate::problem::{Cause, Problem};
use crate::session::projects::Remembered;
use crate::units::{bytes, count, duration};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;

/// Does what the command says; returns the exit code.
pub fn run(command: HubCommand) -> Result<u8> {
    match command {
        HubCommand::Search { query, kind, limit, json } => search(query, kind, limit, json),
        HubCommand::Info { id, revision, json } => info(&id, revision.as_deref(), json),
        HubCommand::Download { id, revision, allow_pickle, json } => {
            download(&id, revision.as_deref(), allow_pickle, json)
        }
        HubCommand::List { json } => list(json),
        HubCommand::Verify { id, repair, json } => verify(id.as_deref(), repair, json),
        HubCommand::Remove { id } => remove(&id),
    }
}

fn search(text: String, kind: Option<Modality>, limit: usize, json: bool) -> Result<u8> {
    let (found, _) = jobs::search_hub(&Query { text, kind, ..Query::default() }, limit, &Console::new())?;
    if json {
        return lines(&found);
    }
    let mut out = format!(
        "{:<52} {:<5} {:<18} {:>10} {:>12}  {:<14} supported\n",
        "id", "kind", "family", "parameters", "downloads", "licence"
    );
    for model in &found {
        let _ = writeln!(out, "{}", found_row(model));
    }
    print_text(&out)?;
    Ok(DONE)
}

fn found_row(model: &Found) -> String {
    let supported = match &model.reason {
        None if model.gated => "yes, if its owner lets you".to_string(),
        None => "yes".to_string(),
        Some(reason) => format!("no: {}", one_line(reason)),
    };
    format!(
        "{:<52} {:<5} {:<18} {:>10} {:>12}  {:<14} {supported}",
        one_line(&model.id),
        kind_name(model.kind),
        one_line(&model.family),
        model.parameters.map_or("-".into(), |n| count(n as usize)),
        model.downloads.map_or("-".into(), |n| n.to_string()),
        one_line(model.licence.as_deref().unwrap_or("-")),
    )
}

fn kind_name(kind: Option<Modality>) -> &'static str {
    kind.map_or("-", |kind| kind.facts().name)
}

fn info(id: &str, revision: Option<&str>, json: bool) -> Result<u8> {
    let page = jobs::hub_page(id, revision, &Console::new())?;
    match json {
        true => print_json(&serde_json::to_value(&page)?)?,
        false => print_text(&page_text(&page))?,
    }
    Ok(DONE)
}

fn page_text(page: &ModelPage) -> String {
    let yes_no =
        |fits: Option<bool>| fits.map_or("", |fits| if fits { " (fits)" } else { " (does not fit)" });
    let size = |n: Option<u64>| n.map_or("unknown".to_string(), bytes);
    let supported = match &page.reason {
        None => "yes".to_string(),
        Some(reason) => format!("no: {}", one_line(reason)),
    };
    let download = match page.download_bytes {
        Some(all) if page.here_bytes >= all => format!("{}, all of it on this machine", bytes(all)),
        Some(all) if page.here_bytes > 0 => {
            format!("{}, {} on this machine", bytes(all), bytes(page.here_bytes))
        }
        all => size(all),
    };
    let time = page
        .download_seconds
        .filter(|s| *s > 0.0)
        .map_or(String::new(), |s| format!(", about {}", duration(s)));
    let rows = [
        ("revision", page.revision.clone()),
        ("takes", page.input.clone().unwrap_or_else(|| kind_name(page.kind).to_string())),
        ("family", one_line(&page.family)),
        ("supported", supported),
        ("parameters", page.parameters.map_or("unknown".into(), |n| count(n as usize))),
        ("weights", page.dtype.clone().unwrap_or_else(|| "unknown".into())),
        ("licence", one_line(page.licence.as_deref().unwrap_or("unknown"))),
        ("open to", if page.gated { "whom its owner lets (gated)" } else { "everybody" }.to_string()),
        ("download", format!("{download}{time}{}", yes_no(page.fits_disk))),
        ("memory", format!("{}{}", size(page.memory_bytes), yes_no(page.fits_memory))),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("  {name:<11} {value}\n")).collect();
    format!("{}\n{rows}", one_line(&page.id))
}

fn download(id: &str, revision: Option<&str>, allow_pickle: bool, json: bool) -> Result<u8> {
    let console = Console::for_download(json);
    let downloaded = jobs::hub_download(id, revision, allow_pickle, &console);
    console.finish();
    if json {
        console.print(&last_event(&downloaded).to_string());
    }
    let downloaded = downloaded?;
    console.delivered()?;
    if !json {
        print_text(&format!(
            "{} at revision {}\n{} in {}, {} came over the line\nuse it with `frostline new --backbone {}`\n",
            downloaded.id,
            downloaded.revision,
            bytes(downloaded.bytes),
            downloaded.path.display(),
            bytes(downloaded.moved_bytes),
            downloaded.id,
        ))?;
    }
    Ok(DONE)
}

/// The one event that ends a download.
fn last_event(downloaded: &crate::problem::Result<Downloaded>) -> Value {
    match downloaded {
        Ok(d) => json!({"event": "finished", "path": d.path, "revision": d.revision}),
        Err(problem) => failure(problem),
    }
}

fn failure(problem: &Problem) -> Value {
    match problem.cause {
        Cause::Stopped => {
            json!({"event": "stopped", "why": problem.why, "try": problem.remedy.on_command_line(), "path": problem.path})
        }
        _ => json!({
            "event": "failed", "what": problem.what, "why": problem.why, "try": problem.remedy.on_command_line(), "path": problem.path,
        }),
    }
}

fn list(json: bool) -> Result<u8> {
    let recent: Vec<_> = Remembered::load().recent.into_iter().map(|project| project.folder).collect();
    let kept = jobs::library(&recent);
    if json {
        return lines(&kept);
    }
    let mut out = format!("{:<52} {:<10} {:<18} {:>9}  used by\n", "id", "where", "family", "size");
    for entry in &kept {
        let _ = writeln!(out, "{}", kept_row(entry).trim_end());
    }
    print_text(&out)?;
    Ok(DONE)
}

fn kept_row(entry: &Kept) -> String {
    let place = match entry.source {
        Source::Bundled => "bundled",
        Source::Own => "own folder",
        Source::Referenced => "referenced",
        Source::Cache => "cache",
    };
    let users: Vec<String> = entry.used_by.iter().map(|project| project.display().to_string()).collect();
    let note = match (&entry.reason, entry.incomplete_bytes) {
        (Some(reason), _) => format!("not usable: {}", one_line(reason)),
        (None, 0) => one_line(&users.join(", ")),
        (None, unfinished) => format!("{} of an unfinished download", bytes(unfinished)),
    };
    format!(
        "{:<52} {place:<10} {:<18} {:>9}  {note}",
        one_line(&entry.id),
        entry.family.as_deref().unwrap_or("-"),
        bytes(entry.bytes)
    )
}

fn verify(id: Option<&str>, repair: bool, json: bool) -> Result<u8> {
    let console = Console::new();
    let verified = jobs::verify(id, repair, &console);
    console.finish();
    let verified = verified?;
    for entry in &verified {
        match json {
            true => print_json(&serde_json::to_value(entry)?)?,
            false => print_text(&verified_text(entry))?,
        }
    }
    let is_whole = verified.iter().all(|entry| entry.broken.is_empty());
    if !is_whole && !repair {
        tell("fetch what is broken with `frostline hub verify --repair`");
    }
    Ok(if is_whole { DONE } else { FAILED })
}

fn verified_text(entry: &Verified) -> String {
    let revision = entry.revision.as_ref().map(|r| format!(" at {r}")).unwrap_or_default();
    let state = if entry.broken.is_empty() { "whole" } else { "broken" };
    let mut out = format!(
        "{}{revision}: {state}, {} files, {}\n",
        one_line(&entry.id),
        entry.files,
        bytes(entry.bytes)
    );
    for broken in &entry.broken {
        let _ = writeln!(out, "  {}: {}", one_line(&broken.file), one_line(&broken.why));
    }
    out
}

fn remove(id: &str) -> Result<u8> {
    let removed = jobs::remove(id)?;
    print_text(&show::printable(&format!("{} removed, {} free again\n", removed.id, bytes(removed.bytes))))?;
    Ok(DONE)
}

/// One JSON object a line.
fn lines<T: Serialize>(items: &[T]) -> Result<u8> {
    for item in items {
        print_json(&serde_json::to_value(item)?)?;
    }
    Ok(DONE)
}
