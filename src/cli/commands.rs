//! One function for each command.

use super::answers::AnswerFormat;
use super::args::{Columns, Command, MachineArgs, New, Predict, SplitName};
use super::control::Console;
use super::print::tell;
use super::print::{print_json, print_text};
use super::scores::{self, Length};
use super::signals::{Stops, stop_on_signals};
use super::{DONE, FAILED, show};
use crate::control::Ended;
use crate::data::facts::Carrier;
use crate::data::scan::ScanOptions;
use crate::data::target::TargetKind;
use crate::hub;
use crate::jobs::{self, Carries, EvaluateWhat, ModelSource, NewProject, Questions};
use crate::problem::{Cause, Problem};
use crate::project::files::write_atomically;
use crate::project::{Machine, Project};
use crate::task::TaskChoice;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// Does what the command says; returns the exit code.
pub fn run(command: Command) -> Result<u8> {
    stop_on_signals(match &command {
        Command::Train { .. } => Stops::WithCheckpoint,
        Command::Scan { .. }
        | Command::Backbones { .. }
        | Command::Tree { .. }
        | Command::New(_)
        | Command::Eval { .. }
        | Command::Predict(_)
        | Command::Export { .. }
        | Command::Hub { .. }
        | Command::Runs { .. } => Stops::Anywhere,
    })?;
    match command {
        Command::Scan { path, columns, task, json } => scan(&path, &columns, task, json),
        Command::Backbones { json } => backbones(json),
        Command::Tree { backbone, json } => tree(&backbone, json),
        Command::New(new) => create(new),
        Command::Train { project, json, resume, machine } => train(&project, json, resume, &machine),
        Command::Eval { folder, data, columns, run, split, full, backbone, json, machine } => {
            let what = match (&data, split) {
                (Some(data), _) => EvaluateWhat::Data(data),
                (None, SplitName::Val) => EvaluateWhat::Validation,
                (None, SplitName::Test) => EvaluateWhat::Test,
            };
            let length = if full { Length::Full } else { Length::Short };
            let of = (run.as_deref(), backbone.as_deref());
            evaluate(&folder, of, what, &columns, (json, length), &machine)
        }
        Command::Predict(asked) => predict(&asked),
        Command::Export { project, out, run, format: _, with_backbone } => {
            let carries = if with_backbone { Carries::Backbone } else { Carries::Head };
            export(&project, &out, run.as_deref(), carries)
        }
        Command::Hub { command } => super::hub::run(command),
        Command::Runs { project, json } => runs(&project, json),
    }
}

fn scan(path: &Path, columns: &Columns, task: Option<TaskChoice>, json: bool) -> Result<u8> {
    let console = Console::new();
    let index = jobs::scan(path, &options(columns, task), &console);
    console.finish();
    let index = index?;
    if !json {
        print_text(&show::dataset(&index))?;
        if task.is_none() {
            print_text(show::guess(&index))?;
        }
        return Ok(DONE);
    }
    let modality = index.modality;
    let with_items = |(name, items): (&String, usize)| json!({"name": name, "items": items});
    let classes: Vec<Value> = index.classes.iter().zip(index.counts()).map(with_items).collect();
    let (target, findings, files) = (index.target, &index.findings, index.files);
    let mut told = match target {
        TargetKind::Class => {
            json!({"modality": modality, "target": target, "classes": classes, "findings": findings})
        }
        TargetKind::Labels => json!({
            "modality": modality, "target": target, "classes": classes, "without_label": index.unlabelled(),
            "findings": findings,
        }),
        TargetKind::Numbers => json!({
            "modality": modality, "target": target, "columns": index.summaries(), "findings": findings,
        }),
    };
    // Where every file is a sample there is nothing to tell.
    if let (Some(told), true) = (told.as_object_mut(), files.total() > files.used) {
        told.insert("files".to_owned(), serde_json::to_value(files)?);
    }
    print_json(&told)?;
    Ok(DONE)
}

fn backbones(json: bool) -> Result<u8> {
    let (list, problems) = hub::list();
    for problem in &problems {
        tell(&format!("left out: {problem}"));
    }
    if !json {
        print_text(&show::backbones(&list))?;
        return Ok(DONE);
    }
    for b in &list {
        let size = b.weight_bytes();
        print_json(&json!({
            "id": b.id, "name": b.name(), "family": b.family, "input": b.input, "features": b.feature_size(),
            "parameters": b.architecture().tree().root().parameters(), "licence": b.card.licence,
            "bytes": size, "folder": b.folder(),
        }))?;
    }
    Ok(DONE)
}

fn tree(backbone: &str, json: bool) -> Result<u8> {
    let backbone = hub::open(backbone)?;
    match json {
        true => print_json(&serde_json::to_value(backbone.architecture().tree().root())?)?,
        false => print_text(&show::tree(&backbone))?,
    }
    Ok(DONE)
}

fn create(new: New) -> Result<u8> {
    let console = Console::new();
    let request = NewProject {
        data: new.data,
        backbone: new.backbone,
        folder: new.out,
        reading: options(&new.columns, new.task),
        task: new.task,
        thaw: new.thaw,
        settings: new.settings.0,
    };
    let created = jobs::create(&request, &console);
    console.finish();
    let (project, plan) = created?;
    for warning in &plan.warnings {
        tell(&format!("warning: {warning}"));
    }
    let network = plan.architecture();
    let split = &plan.split;
    print_text(&format!(
        "{}\n{}{} train, {} validate, {} test\nfrostline at {} ({}); {} parameters are trained\nproject {}: train it with `frostline train {}`\n",
        show::layout(&plan.index),
        if new.task.is_none() { show::guess(&plan.index) } else { "" },
        split.train.len(),
        split.validation.len(),
        split.test.len(),
        network.cut_name(plan.frostline),
        network.cuts().get(plan.frostline).map(|c| show::shape(&c.shape)).unwrap_or_default(),
        show::count(plan.trainable_parameters()),
        project.folder().display(),
        project.folder().display(),
    ))?;
    Ok(DONE)
}

fn train(project: &Path, json: bool, resume: bool, machine: &MachineArgs) -> Result<u8> {
    let opened = Project::open(project);
    // Where it cannot be read, the training says so.
    let task = opened.as_ref().ok().and_then(|project| project.recipe().ok()).map(|recipe| recipe.task);
    let console = Console::for_training(json, task.unwrap_or_default());
    let trained = opened.and_then(|project| jobs::train(&project, resume, &machine_of(machine)?, &console));
    console.finish();
    if json {
        console.print(&serde_json::to_string(&last_event(&trained))?);
    }
    let trained = trained?;
    if !json {
        let record = &trained.record;
        let scores = record.best().map(|best| show::scores(&best.val, &record.task.kind, ", "));
        console.print(&format!(
            "run {} finished in {}: best epoch {}, {} on {} validation samples\n\
             (the epoch was chosen on these same samples, so the scores flatter a little)\n\
             export it with `frostline export {} --out EXPORT`",
            record.run,
            show::duration(trained.seconds),
            record.best_epoch.unwrap_or_default(),
            scores.unwrap_or_default(),
            record.validation_samples,
            project.display(),
        ));
        for sentence in trained.coverage.sentences(record.task.kind.target, "validation") {
            console.print(&show::one_line(&sentence));
        }
    }
    console.delivered()?;
    Ok(DONE)
}

/// The one event that ends a training.
fn last_event(trained: &crate::problem::Result<jobs::Trained>) -> Ended {
    match trained {
        Ok(trained) => {
            let record = &trained.record;
            Ended::Finished {
                run: record.run.clone(),
                best_epoch: record.best_epoch,
                scores: record.best().map(|best| best.val.clone()).unwrap_or_default(),
                seconds: trained.seconds,
            }
        }
        Err(problem) => {
            let Problem { what, why, remedy, path, cause } = problem.clone();
            let remedy = remedy.on_command_line();
            match cause {
                Cause::Stopped => Ended::Stopped { why, remedy, path },
                Cause::Input | Cause::Diverged | Cause::Hub | Cause::Other => {
                    Ended::Failed { what, why, remedy, path }
                }
            }
        }
    }
}

fn evaluate(
    folder: &Path,
    of: (Option<&str>, Option<&str>),
    what: EvaluateWhat,
    columns: &Columns,
    (json, length): (bool, Length),
    machine: &MachineArgs,
) -> Result<u8> {
    let console = Console::new();
    let evaluation = machine_of(machine)
        .and_then(|m| jobs::evaluate(folder, of, what, &options(columns, None), &m, &console));
    console.finish();
    let evaluation = evaluation?;
    match json {
        true => print_json(&serde_json::to_value(&evaluation)?)?,
        false => print_text(&scores::evaluation(&evaluation, length))?,
    }
    Ok(DONE)
}

fn predict(asked: &Predict) -> Result<u8> {
    if asked.inputs.is_empty() && asked.text.is_empty() {
        return Err(Problem::input(
            "there is nothing to predict",
            "no input was given",
            "name files, tables or folders, or give --text",
        )
        .into());
    }
    let format = answer_format(asked)?;
    let console = Console::new();
    let columns = asked.text_columns();
    let questions = Questions { files: &asked.inputs, texts: &asked.text, text_columns: columns.as_ref() };
    let model = match &asked.backbone {
        Some(backbone) => ModelSource::ExportOn { export: asked.export.clone(), backbone: backbone.clone() },
        None => ModelSource::Export(asked.export.clone()),
    };
    let predictions =
        machine_of(&asked.machine).and_then(|m| jobs::predict(&model, &questions, asked.top, &m, &console));
    console.finish();
    let predictions = predictions?;
    let answers = format.write(&predictions)?;
    match &asked.out {
        Some(out) => write_atomically(out, answers.as_bytes(), "write the answers")?,
        None => print_text(&answers)?,
    }
    let failed = predictions.iter().filter(|p| p.error.is_some()).count();
    if asked.out.is_some() {
        tell(&format!("{} answers, {failed} errors", predictions.len() - failed));
    }
    Ok(if failed > 0 { FAILED } else { DONE })
}

/// What was asked for, or what the name of the output says.
fn answer_format(asked: &Predict) -> crate::problem::Result<AnswerFormat> {
    let of_name = || match &asked.out {
        None => Ok(AnswerFormat::Text),
        Some(out) => AnswerFormat::of_name(out).ok_or_else(|| {
            let why = "its name says nothing of how they are to be written";
            Problem::input("the answers cannot be written", why, "end it in .csv or .jsonl, or give --format")
                .at(out)
        }),
    };
    let format = match (asked.format, asked.json) {
        (Some(format), _) => format,
        (None, true) => AnswerFormat::Jsonl,
        (None, false) => of_name()?,
    };
    match &asked.out {
        Some(out) if out.exists() => {
            let why = "there is something of this name already";
            Err(Problem::input("the answers cannot be written", why, "give another name with --out").at(out))
        }
        Some(_) | None => Ok(format),
    }
}

fn export(project: &Path, out: &Path, run: Option<&str>, carries: Carries) -> Result<u8> {
    let project = Project::open(project)?;
    let console = Console::new();
    let manifest = jobs::export(&project, run, out, carries, &Machine::cpu(), &console);
    console.finish();
    let manifest = manifest?;
    let named = jobs::folder_to_name(&project, &manifest, out)?;
    let backbone = named.map(|folder| format!(" --backbone {}", quoted(&folder))).unwrap_or_default();
    let input = match manifest.input.modality().facts().carrier {
        Carrier::File => "FILE..",
        Carrier::Words => "--text \"..\"",
    };
    print_text(&format!(
        "run {} exported to {}: written, reloaded and checked on {} inputs\nuse it with `frostline predict {}{backbone} {input}`\n",
        manifest.scores.run,
        out.display(),
        manifest.golden.len(),
        quoted(out),
    ))?;
    Ok(DONE)
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%\\".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn runs(project: &Path, json: bool) -> Result<u8> {
    let mut records = Vec::new();
    for run in Project::open(project)?.runs() {
        match run.record() {
            Ok(record) => records.push(record),
            Err(problem) => tell(&format!("left out: {problem}")),
        }
    }
    if !json {
        print_text(&show::runs(&records))?;
        return Ok(DONE);
    }
    for record in &records {
        print_json(&serde_json::to_value(record)?)?;
    }
    Ok(DONE)
}

fn options(columns: &Columns, task: Option<TaskChoice>) -> ScanOptions {
    columns.options(task.map(|task| task.target))
}

fn machine_of(machine: &MachineArgs) -> crate::problem::Result<Machine> {
    Machine::new(&machine.device, machine.threads)
}
