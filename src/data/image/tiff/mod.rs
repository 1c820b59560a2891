//! TIFF (revision 6.0, its technical notes, BigTIFF, and the compressions that libtiff added): the first picture of a
//! file, in every layout that has a plain meaning as RGB.
//!
//! A file goes through [`Directory`] (its tags), [`Layout`] (what they mean, or why they cannot be used), `chunks`
//! (strips and tiles -> samples) and `colour` (samples -> RGB). What is refused is named in TIFF's own terms.

mod ccitt;
mod chunks;
mod codecs;
mod colour;
mod directory;
mod layout;
mod rows;

use super::fault::{Fault, Note, Noted};
use super::{MAX_PIXELS, Rgb};
use ::image::metadata::Orientation;
use directory::Directory;
use layout::{Layout, SampleFormat};

/// Width and height of the first picture, as stored.
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), Fault> {
    layout::size(&Directory::first(bytes)?)
}

/// The first picture, and what was assumed about it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Rgb, Orientation, Vec<Note>), Fault> {
    let directory = Directory::first(bytes)?;
    let layout = Layout::of(&directory)?;
    // Eight bytes a pixel, and as much again for what is kept aside.
    let bits = layout.pixels().saturating_mul((layout.samples * layout.bits) as u64);
    if layout.pixels() > MAX_PIXELS || bits / 8 > MAX_PIXELS * 16 {
        return Err(Fault::Damaged("it would take more memory than is given to one picture".to_owned()));
    }
    let samples = chunks::read(bytes, &layout)?;
    let Noted { what, mut notes } = colour::to_rgb(samples, &layout)?;
    notes.extend(of_pages(&directory));
    let picture = Rgb { width: layout.width, height: layout.height, pixels: what };
    Ok((picture, layout.orientation, notes))
}

/// What is assumed about the first picture, where that shows without a look at its values.
pub(super) fn notes_of_header(bytes: &[u8]) -> Result<Option<Vec<Note>>, Fault> {
    let directory = Directory::first(bytes)?;
    let layout = Layout::of(&directory)?;
    let has_bytes = layout.bits <= 8 && layout.format == SampleFormat::Unsigned;
    Ok(has_bytes.then(|| of_pages(&directory).into_iter().collect()))
}

fn of_pages(directory: &Directory) -> Option<Note> {
    let others = directory.other_pictures();
    (others > 0).then(|| Note::first_of(others + 1, "pictures (pages, or layers of a stack)"))
}
