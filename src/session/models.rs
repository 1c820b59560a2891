//! The Backbone step: what is on this machine, what the catalogue and the Hub offer, downloads and their queue. Rows are
//! prepared here when something changes, so that ten thousand results are painted as quickly as ten.

use super::Session;
use crate::data::index::Modality;
use crate::hub::library::Kept;
use crate::hub::{Found, ModelPage, Search, catalogue, fits_memory, free_memory, weights_memory};
use crate::problem::Problem;
use crate::worker::{Aside, BackboneFacts, Command, HubAsk, JobId};
use std::collections::{BTreeMap, BTreeSet};

/// What the step shows beyond the backbones themselves.
#[derive(Default)]
pub struct Models {
    pub filter: Filter,
    /// Everything that is known, in the order of the screen.
    pub(super) all: Vec<ModelRow>,
    /// Numbers of those that the filter leaves.
    pub(super) shown: Vec<usize>,
    /// The id of the row that the inspector shows.
    pub selected: Option<String>,
    pub found: Vec<Found>,
    /// Goes on where the last answer stopped; `None` before the first search and after the last result.
    pub search: Option<Box<Search>>,
    /// The words that [`Self::found`] answers.
    pub(super) searched: String,
    pub is_searching: bool,
    /// How many were shown when more were asked for last: asked again only when there are more to see.
    pub(super) shown_when_asked: usize,
    pub pages: BTreeMap<String, ModelPage>,
    /// In the order in which they were asked for.
    pub downloads: Vec<Download>,
    pub kept: Vec<Kept>,
    /// Whether weights in a format that can hold programs may be converted for the selected model.
    pub allow_pickle: bool,
    /// A model whose removal was asked for once; the second time it is done.
    pub asks_to_remove: Option<String>,
    /// The host that searches and downloads ask.
    pub host: String,
}

/// Which models are shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    pub text: String,
    pub kind: KindFilter,
    /// At most so many parameters.
    pub largest: Option<u64>,
    pub licence: Option<String>,
    /// Two letters.
    pub language: Option<String>,
    pub here_only: bool,
    pub trainable_only: bool,
    /// Weights that fit into this machine's free memory; what is not known is shown.
    pub fits_only: bool,
    pub as_table: bool,
}

/// Which models are shown, by what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KindFilter {
    /// What takes the open project's data.
    #[default]
    Suitable,
    Only(Modality),
    All,
}

/// One model as a card or a row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    pub id: String,
    pub name: String,
    pub family: String,
    pub kind: Option<Modality>,
    /// `224 px`, `256 tokens`, or empty.
    pub input: String,
    pub parameters: Option<u64>,
    pub file_bytes: Option<u64>,
    pub licence: Option<String>,
    pub languages: Vec<String>,
    pub score: Option<String>,
    pub score_source: Option<String>,
    pub downloads: Option<u64>,
    pub good_for: String,
    pub place: Place,
    /// Why this version cannot train it.
    pub unsupported: Option<String>,
    /// Whether its weights fit into the memory that was free when the rows were prepared.
    pub fits: Option<bool>,
    /// What words are looked for in, in small letters.
    words: String,
}

/// Where a model is known from; one on this machine is `Here`, whoever else lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Here,
    Catalogue,
    Hub,
}

/// A download that waits, runs or is paused.
#[derive(Debug, Clone, PartialEq)]
pub struct Download {
    pub job: JobId,
    pub id: String,
    pub bytes: u64,
    pub total: u64,
    pub bytes_per_second: f64,
    pub paused: bool,
    pub stopping: bool,
}

impl Download {
    /// Share that is here, 0 to 1.
    pub fn done(&self) -> f64 {
        self.bytes as f64 / self.total.max(1) as f64
    }

    /// Until it is whole, at the rate of the last seconds.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.bytes) as f64;
        (self.bytes_per_second > 0.0 && self.total > 0).then(|| left / self.bytes_per_second)
    }
}

impl Models {
    /// Nothing known yet; `host` is whom searches and downloads ask.
    pub fn asking(host: String) -> Self {
        Self { host, ..Self::default() }
    }

    /// The row of a model, shown or not.
    pub fn row(&self, id: &str) -> Option<&ModelRow> {
        self.all.iter().find(|row| row.id == id)
    }

    /// How many rows the filter leaves.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether the filter leaves no row.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// The rows that the filter leaves, from number `first` on.
    pub fn rows_from(&self, first: usize) -> impl Iterator<Item = &ModelRow> {
        self.shown.iter().skip(first).filter_map(|number| self.all.get(*number))
    }

    /// Whether the end of the list should bring more by itself.
    pub fn wants_more(&self) -> bool {
        self.search.is_some() && !self.is_searching && self.shown.len() > self.shown_when_asked
    }

    /// The download of a model, if one is under way.
    pub fn download(&self, id: &str) -> Option<&Download> {
        self.downloads.iter().find(|d| d.id == id)
    }
}

impl Session {
    /// How far a download is.
    pub(super) fn on_download(&mut self, job: JobId, bytes: u64, total: u64, bytes_per_second: f64) {
        if let Some(download) = self.models.downloads.iter_mut().find(|d| d.job == job) {
            (download.bytes, download.total) = (bytes, total);
            download.bytes_per_second = bytes_per_second;
        }
    }

    /// A search or download has ended, well or not.
    pub(super) fn end_hub_job(&mut self, job: JobId, command: &Command, problem: Option<&Problem>) {
        self.models.downloads.retain(|d| d.job != job);
        if is_search(command) && problem.is_some() {
            self.models.is_searching = false;
        }
    }

    /// What the kind filter means for the open project.
    pub(super) fn kind_shown(&self) -> Option<Modality> {
        match self.models.filter.kind {
            KindFilter::All => None,
            KindFilter::Only(kind) => Some(kind),
            KindFilter::Suitable => self.project.as_ref().map(|project| project.index.modality),
        }
    }

    /// Prepares the rows anew.
    pub(super) fn refresh_models(&mut self) {
        let mut rows: Vec<ModelRow> = self.backbones.iter().map(of_backbone).collect();
        let is_known = |rows: &[ModelRow], id: &str| rows.iter().any(|row| row.id == id);
        for entry in catalogue::entries() {
            if !is_known(&rows, &entry.id) {
                rows.push(of_entry(entry));
            }
        }
        let known: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
        rows.extend(self.models.found.iter().filter(|f| !known.contains(&f.id)).map(of_found));
        let free = free_memory();
        for row in &mut rows {
            let needed = row.parameters.map(weights_memory);
            row.fits = needed.zip(free).map(|(needed, free)| fits_memory(needed, free));
            row.words = format!("{} {} {}", row.id, row.name, row.family).to_lowercase();
        }
        rows.sort_by_key(|row| (row.place != Place::Here, row.unsupported.is_some()));
        self.models.all = rows;
        self.filter_models();
    }

    /// Applies the filter anew.
    pub(super) fn filter_models(&mut self) {
        let kind = self.kind_shown();
        let models = &mut self.models;
        // What was found for these very words fits by the Hub's own measure.
        let is_searched = models.filter.text == models.searched;
        let fits = |row: &ModelRow| {
            is_shown(row, &models.filter, kind)
                && ((is_searched && row.place == Place::Hub) || says(row, &models.filter.text))
        };
        models.shown = (0..models.all.len()).filter(|number| fits(&models.all[*number])).collect();
    }
}

fn says(row: &ModelRow, text: &str) -> bool {
    row.words.contains(&text.trim().to_lowercase())
}

fn is_shown(row: &ModelRow, filter: &Filter, kind: Option<Modality>) -> bool {
    kind.is_none_or(|kind| row.kind.is_none_or(|own| own == kind))
        && filter.largest.is_none_or(|largest| row.parameters.is_none_or(|n| n <= largest))
        && filter.licence.as_ref().is_none_or(|wanted| {
            row.licence.as_ref().is_some_and(|licence| licence.eq_ignore_ascii_case(wanted))
        })
        && filter.language.as_ref().is_none_or(|wanted| {
            // What says nothing of its language is not hidden for that.
            row.languages.is_empty() || row.languages.contains(wanted)
        })
        && (!filter.here_only || row.place == Place::Here)
        && (!filter.trainable_only || row.unsupported.is_none())
        && (!filter.fits_only || row.fits != Some(false))
}

fn of_backbone(facts: &BackboneFacts) -> ModelRow {
    ModelRow {
        id: facts.id.clone(),
        name: facts.name.clone(),
        family: facts.family.to_string(),
        kind: Some(facts.input.modality()),
        input: format!("{} {}", facts.input.size(), facts.input.modality().facts().input.unit),
        parameters: Some(facts.tree.root().parameters() as u64),
        file_bytes: Some(facts.file_bytes),
        licence: facts.card.licence.clone(),
        languages: Vec::new(),
        score: facts.card.published_score.clone(),
        score_source: facts.card.published_score_source.clone(),
        downloads: None,
        good_for: facts.card.good_for.clone().unwrap_or_default(),
        place: Place::Here,
        unsupported: None,
        fits: None,
        words: String::new(),
    }
}

fn of_entry(entry: &catalogue::Entry) -> ModelRow {
    let unit = entry.kind.facts().input.unit;
    ModelRow {
        id: entry.id.clone(),
        name: entry.name.clone(),
        family: entry.support().map_or_else(|_| String::new(), str::to_string),
        kind: Some(entry.kind),
        input: entry.input.map_or(String::new(), |size| format!("{size} {unit}")),
        parameters: entry.parameters,
        file_bytes: None,
        licence: entry.licence.clone(),
        languages: entry.languages.clone(),
        score: entry.score.clone(),
        score_source: entry.score_source.clone(),
        downloads: None,
        good_for: entry.good_for.clone(),
        place: Place::Catalogue,
        unsupported: entry.support().err(),
        fits: None,
        words: String::new(),
    }
}

fn of_found(found: &Found) -> ModelRow {
    ModelRow {
        id: found.id.clone(),
        name: found.id.rsplit('/').next().unwrap_or(&found.id).to_string(),
        family: found.family.clone(),
        kind: found.kind,
        input: String::new(),
        parameters: found.parameters,
        file_bytes: None,
        licence: found.licence.clone(),
        languages: found.languages.clone(),
        score: None,
        score_source: None,
        downloads: found.downloads,
        good_for: String::new(),
        place: Place::Hub,
        unsupported: found.reason.clone(),
        fits: None,
        words: String::new(),
    }
}

/// Whether a command looks for models.
pub(super) fn is_search(command: &Command) -> bool {
    matches!(command, Command::Aside(Aside::Hub(HubAsk::Search { .. } | HubAsk::More { .. })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, kind: Modality, place: Place) -> ModelRow {
        let found = Found {
            id: id.into(),
            kind: Some(kind),
            family: "MobileNetV2".into(),
            parameters: Some(2_000_000),
            licence: Some("apache-2.0".into()),
            downloads: None,
            supported: true,
            reason: None,
            gated: false,
            languages: vec!["en".into()],
        };
        ModelRow { place, ..of_found(&found) }
    }

    #[test]
    fn filters_leave_what_they_say() {
        let image = row("timm/mobilenetv2_100.ra_in1k", Modality::Image, Place::Catalogue);
        let check = |filter: Filter, kind: Option<Modality>, expected: bool| {
            assert_eq!(is_shown(&image, &filter, kind), expected, "{filter:?}");
        };
        check(Filter::default(), Some(Modality::Image), true);
        check(Filter::default(), Some(Modality::Text), false);
        let named = ModelRow { words: "timm/mobilenetv2_100".into(), ..image.clone() };
        assert!(says(&named, " MobileNet ") && says(&named, "") && !says(&named, "bert"));
        check(Filter { largest: Some(1_000_000), ..Default::default() }, None, false);
        check(Filter { licence: Some("Apache-2.0".into()), ..Default::default() }, None, true);
        check(Filter { licence: Some("mit".into()), ..Default::default() }, None, false);
        check(Filter { language: Some("de".into()), ..Default::default() }, None, false);
        let large = ModelRow { fits: Some(false), ..image.clone() };
        let fitting = Filter { fits_only: true, ..Default::default() };
        assert!(is_shown(&image, &fitting, None) && !is_shown(&large, &fitting, None));
        check(Filter { here_only: true, ..Default::default() }, None, false);
    }

    #[test]
    fn a_download_says_how_long_it_takes() {
        let download = Download {
            job: 1,
            id: "a/b".into(),
            bytes: 25,
            total: 100,
            bytes_per_second: 5.0,
            paused: false,
            stopping: false,
        };
        assert_eq!((download.done(), download.seconds_left()), (0.25, Some(15.0)));
        assert_eq!(Download { bytes_per_second: 0.0, ..download }.seconds_left(), None);
    }
}
