//! Strips and tiles -> the samples of the whole picture.

use super::Fault;
use super::codecs;
use super::layout::{ChunkKind, Colours, Layout, Part, Planes, SampleFormat};
use super::rows;
use crate::data::image::MAX_PIXELS;

/// The samples of a picture, `[height, width, samples]`.
pub(super) enum Samples {
    /// Unsigned, up to eight bits.
    Bytes(Vec<u8>),
    /// Unsigned, up to sixteen bits.
    Words(Vec<u16>),
    /// All others; whole numbers above 2^24 are rounded.
    Floats(Vec<f32>),
}

/// Where the pixels of a chunk belong.
struct Place {
    column: usize,
    row: usize,
    /// The first of its samples among those of a pixel.
    sample: usize,
}

/// Reads all chunks.
pub(super) fn read(bytes: &[u8], layout: &Layout) -> Result<Samples, Fault> {
    let chunks = &layout.chunks;
    if chunks.width as u64 * chunks.height as u64 > MAX_PIXELS {
        return Err(Fault::Damaged("one of its tiles has more pixels than are decoded".to_owned()));
    }
    let (across, down) = (layout.width.div_ceil(chunks.width), layout.height.div_ceil(chunks.height));
    let (planes, stored) = match layout.planes {
        Planes::Together => (1, layout.samples),
        Planes::Apart => (layout.samples, 1),
    };
    let mut samples = Samples::zeros(layout);
    for number in 0..across * down * planes {
        let (plane, within) = (number / (across * down), number % (across * down));
        let place = Place {
            column: within % across * chunks.width,
            row: within / across * chunks.height,
            sample: plane,
        };
        let rows = match chunks.kind {
            ChunkKind::Strip => chunks.height.min(layout.height - place.row),
            ChunkKind::Tile => chunks.height,
        };
        let part = Part { number, columns: chunks.width, rows, samples: stored };
        let mut content = codecs::decompress(stored_bytes(bytes, layout, &part)?, layout, &part)?;
        if content.len() < part.bytes(layout) {
            return Err(Fault::Truncated(format!(
                "{} of the TIFF ends before its last row",
                name(layout, number)
            )));
        }
        if let Colours::YCbCr { across, down } = layout.colours
            && across * down > 1
            && !layout.is_picture_coded()
        {
            content = rows::full_colours(&content, &part, (across, down));
        }
        samples.put(layout, &part, &place, content);
    }
    Ok(samples)
}

fn name(layout: &Layout, number: usize) -> String {
    match layout.chunks.kind {
        ChunkKind::Strip => format!("strip {}", number + 1),
        ChunkKind::Tile => format!("tile {}", number + 1),
    }
}

/// The bytes of a chunk as they lie in the file.
fn stored_bytes<'a>(bytes: &'a [u8], layout: &Layout, part: &Part) -> Result<&'a [u8], Fault> {
    let missing = || Fault::Truncated(format!("{} of the TIFF is not there", name(layout, part.number)));
    let number = |list: &[u64]| list.get(part.number).and_then(|number| usize::try_from(*number).ok());
    let start = number(&layout.chunks.offsets).ok_or_else(missing)?;
    let rest = bytes.get(start..).ok_or_else(missing)?;
    match number(&layout.chunks.sizes) {
        // Where nothing is said of their sizes, chunks are taken to go as far as they need.
        None | Some(0) => Ok(rest),
        Some(size) => rest.get(..size).ok_or_else(missing),
    }
}

impl Samples {
    fn zeros(layout: &Layout) -> Samples {
        let number = layout.width * layout.height * layout.samples;
        match (layout.format, layout.bits) {
            (SampleFormat::Unsigned, ..=8) => Samples::Bytes(vec![0; number]),
            (SampleFormat::Unsigned, 9..=16) => Samples::Words(vec![0; number]),
            _ => Samples::Floats(vec![0.0; number]),
        }
    }

    /// Unpacks the rows of a chunk to where they belong.
    fn put(&mut self, layout: &Layout, part: &Part, place: &Place, mut content: Vec<u8>) {
        let row_bytes = part.row_bytes(layout).max(1);
        let columns = part.columns.min(layout.width - place.column);
        let kept = part.rows.min(layout.height - place.row);
        for (number, row) in content.chunks_exact_mut(row_bytes).take(kept).enumerate() {
            if !layout.is_picture_coded() {
                rows::undo_predictor(row, layout, part.samples);
            }
            let first = ((place.row + number) * layout.width + place.column) * layout.samples + place.sample;
            let spread = rows::Spread {
                first,
                // The samples of a pixel lie together, or each is a step apart.
                step: if part.samples == layout.samples { 1 } else { layout.samples },
                count: columns * part.samples,
            };
            match self {
                Samples::Bytes(all) => rows::bytes(row, layout, &spread, all),
                Samples::Words(all) => rows::words(row, layout, &spread, all),
                Samples::Floats(all) => rows::floats(row, layout, &spread, all),
            }
        }
    }
}
