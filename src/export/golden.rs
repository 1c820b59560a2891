//! Golden inputs: made up, so that no sample of the user's leaves the machine inside an export.

use crate::data::facts::Golden;
use crate::data::modality::Modality;
use crate::predict::manifest::GoldenInput;
use crate::problem::{Problem, Result};
use std::path::Path;

/// Writes golden files into `folder`, or names golden words.
///
/// # Errors
/// The folder cannot be written.
pub fn write_inputs(folder: &Path, modality: Modality) -> Result<Vec<GoldenInput>> {
    let (extension, count, content) = match &modality.facts().golden {
        Golden::Files { extension, count, content } => (extension, *count, content),
        Golden::Words(words) => {
            let given = |words: &&str| GoldenInput { modality, given: (*words).to_string() };
            return Ok(words.iter().map(given).collect());
        }
    };
    let files = folder.join("golden");
    std::fs::create_dir(&files).map_err(|e| Problem::io("write the export", &files, &e))?;
    (0..count)
        .map(|number| {
            let given = format!("golden/{number}.{extension}");
            let path = folder.join(&given);
            // Encoded first: so a full disk is told as such, not as a file that cannot be made.
            content(number)
                .and_then(|bytes| std::fs::write(&path, bytes))
                .map_err(|e| Problem::io("write the export", &path, &e))?;
            Ok(GoldenInput { modality, given })
        })
        .collect()
}
