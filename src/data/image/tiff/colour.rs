//! Samples -> RGB on white, as Pillow's `convert("RGB")` makes it.

use super::chunks::Samples;
use super::layout::{Alpha, Colours, Layout, SampleFormat};
use super::{Fault, Noted};
use crate::data::image::pixels::{cmyk_to_rgb, on_white};
use crate::data::image::range::{self, FloatKind, Range};

/// `[height, width, 3]`, and what was assumed for it.
pub(super) fn to_rgb(samples: Samples, layout: &Layout) -> Result<Noted<Vec<u8>>, Fault> {
    if let Colours::Palette(map) = &layout.colours {
        return Ok(Noted { what: through_palette(&samples, layout, map)?, notes: Vec::new() });
    }
    // JPEG gives RGB whatever it was stored as, and YCbCr pixels are never a matter of their range.
    let Noted { what: bytes, notes } = to_bytes(samples, layout)?;
    let (number, colours) = (layout.samples, layout.colours.samples());
    let mut pixels = Vec::with_capacity(bytes.len() / number * 3);
    for pixel in bytes.chunks_exact(number) {
        let (own, further) = pixel.split_at(colours);
        let rgb = match (&layout.colours, own) {
            (Colours::Black0, [grey]) => [*grey; 3],
            (Colours::White0, [grey]) => [255 - grey; 3],
            (Colours::YCbCr { .. }, [y, cb, cr]) if !layout.is_picture_coded() => {
                from_differences(*y, *cb, *cr)
            }
            (Colours::Cmyk, inks @ [_, _, _, _]) => from_inks(inks),
            (_, [r, g, b]) => [*r, *g, *b],
            _ => [0; 3],
        };
        let opacity = further.first().copied().unwrap_or(255);
        pixels.extend(match layout.alpha {
            Alpha::Absent => rgb,
            Alpha::Plain => rgb.map(|value| on_white(value, opacity)),
            Alpha::Multiplied => rgb.map(|value| value.saturating_add(255 - opacity)),
        });
    }
    Ok(Noted { what: pixels, notes })
}

fn through_palette(samples: &Samples, layout: &Layout, map: &[[u8; 3]]) -> Result<Vec<u8>, Fault> {
    let numbers: Vec<usize> = match samples {
        Samples::Bytes(values) => values.iter().map(|value| usize::from(*value)).collect(),
        Samples::Words(values) => values.iter().map(|value| usize::from(*value)).collect(),
        Samples::Floats(_) => {
            return Err(Fault::Unsupported("a TIFF with a palette of signed numbers".to_owned()));
        }
    };
    let mut pixels = Vec::with_capacity(numbers.len() / layout.samples * 3);
    for pixel in numbers.chunks_exact(layout.samples) {
        let colour = pixel.first().and_then(|number| map.get(*number)).copied().unwrap_or_default();
        let opacity = match (layout.alpha, pixel.get(1)) {
            (Alpha::Plain | Alpha::Multiplied, Some(opacity)) => (*opacity).min(255) as u8,
            _ => 255,
        };
        pixels.extend(colour.map(|value| on_white(value, opacity)));
    }
    Ok(pixels)
}

/// All samples as bytes, `[height, width, samples]`.
fn to_bytes(samples: Samples, layout: &Layout) -> Result<Noted<Vec<u8>>, Fault> {
    let number = layout.samples;
    let is_alpha = |at: usize| layout.alpha != Alpha::Absent && at % number == layout.colours.samples();
    match samples {
        Samples::Bytes(values) => {
            let most = (1u32 << layout.bits) - 1;
            let whole = |value: u8| (u32::from(value) * 255 / most) as u8;
            let what = if layout.bits == 8 { values } else { values.into_iter().map(whole).collect() };
            Ok(Noted { what, notes: Vec::new() })
        }
        Samples::Words(values) => {
            let of = |wants_alpha: bool| {
                let some = values.iter().enumerate().filter(move |(at, _)| is_alpha(*at) == wants_alpha);
                some.map(|(_, value)| *value)
            };
            let (colours, notes) = range::of_words(of(false), layout.bits as u32);
            let (opacities, _) = range::of_words(of(true), layout.bits as u32);
            let byte = |(at, value): (usize, &u16)| {
                if is_alpha(at) { opacities.word(*value) } else { colours.word(*value) }
            };
            Ok(Noted { what: values.iter().enumerate().map(byte).collect(), notes })
        }
        Samples::Floats(values) => {
            let kind = match layout.format {
                SampleFormat::Float => FloatKind::Float,
                SampleFormat::Signed => FloatKind::Whole(layout.bits as u32 - 1),
                SampleFormat::Unsigned => FloatKind::Whole(layout.bits as u32),
            };
            let colours = values.iter().enumerate().filter(|(at, _)| !is_alpha(*at)).map(|(_, value)| *value);
            let (range, notes): (Range, _) = range::of_floats(colours, kind)
                .map_err(|what| Fault::Unsupported(format!("a TIFF with {what}")))?;
            Ok(Noted { what: values.iter().map(|value| range.float(*value)).collect(), notes })
        }
    }
}

/// Inks, 255 is all of it.
fn from_inks(inks: &[u8]) -> [u8; 3] {
    let stored: Vec<u8> = inks.iter().map(|ink| 255 - ink).collect();
    match cmyk_to_rgb(&stored).as_slice() {
        [r, g, b] => [*r, *g, *b],
        _ => [0; 3],
    }
}

/// Brightness and colour differences as JFIF has them, in Pillow's whole numbers.
fn from_differences(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    /// Sixty-fourths, rounded as Pillow's tables are: towards zero after adding a half.
    fn part(factor: f64, value: u8) -> i32 {
        (factor * 64.0 * (f64::from(value) - 128.0) + 0.5) as i32
    }
    let sum = |difference: i32| (i32::from(y) + (difference >> 6)).clamp(0, 255) as u8;
    [sum(part(1.402, cr)), sum(part(-0.344_136_286, cb) + part(-0.714_136_286, cr)), sum(part(1.772, cb))]
}
