//! What the Hub answers: lists and pages of models, lists of files.
#![no_main]

use frostline::hub::api::{Entry, ModelInfo, files_of};
use frostline::hub::id::{RepoId, RepoPath, Revision};
use frostline::hub::settings::Origin;
use frostline::hub::support::{family_name, unsupported, wanted};
use frostline::data::modality::Modality;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    if let Ok(models) = serde_json::from_slice::<Vec<ModelInfo>>(data) {
        for model in models {
            let _ = (model.kind(), model.licence(), model.languages(), model.parameters(), model.is_gated());
            let _ = (unsupported(&model), family_name(&model.family_config()));
        }
    }
    if let Ok(entries) = serde_json::from_slice::<Vec<Entry>>(data)
        && let Ok(files) = files_of(entries)
    {
        let folder = Path::new("/cache/snapshot");
        for file in &files {
            let path = file.path.below(folder);
            let inside = path.strip_prefix(folder).expect("it stays below the folder");
            assert!(inside.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{path:?}");
            assert!(file.digest.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        }
        for kind in Modality::ALL {
            let _ = wanted(*kind, &files, true);
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(id) = RepoId::parse(text) {
            assert_eq!(Path::new(&id.folder_name()).components().count(), 1);
            assert_eq!(RepoId::from_folder_name(&id.folder_name()), Some(id));
        }
        if let Ok(revision) = Revision::parse(text) {
            assert!(RepoPath::parse(revision.as_str()).is_some());
        }
        if let Some(origin) = Origin::parse(text) {
            assert!(origin.serves(text) && origin.serves(&origin.to_string()));
        }
    }
});
