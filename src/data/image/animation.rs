//! How many pictures a GIF, PNG or WebP holds. The first one is used.

use super::Format;

/// The number of pictures, as far as the format counts them; 1 for a still one.
pub(super) fn pictures(format: Format, bytes: &[u8]) -> usize {
    match format {
        Format::Gif => of_gif(bytes).unwrap_or(1),
        Format::Png => of_png(bytes).unwrap_or(1),
        Format::WebP => of_webp(bytes),
        Format::Jpeg | Format::Bmp | Format::Tiff | Format::Netpbm => 1,
    }
}

/// Walks the blocks of a GIF (GIF89a, section 12 and on).
fn of_gif(bytes: &[u8]) -> Option<usize> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << (1 + (flags & 7)) };
    let pass_blocks = |mut at: usize| {
        while let Some(length @ 1..) = bytes.get(at) {
            at += 1 + usize::from(*length);
        }
        at + 1
    };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut found = 0;
    loop {
        match bytes.get(at) {
            Some(0x21) => at = pass_blocks(at + 2),
            Some(0x2c) => {
                found += 1;
                at = pass_blocks(at + 10 + table(*bytes.get(at + 9)?) + 1);
            }
            _ => return Some(found.max(1)),
        }
    }
}

/// An animated PNG says before its picture how many there are.
fn of_png(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    loop {
        let head: &[u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
        let [l0, l1, l2, l3, name @ ..] = *head;
        match &name {
            b"acTL" => {
                let number: [u8; 4] = bytes.get(at + 8..at + 12)?.try_into().ok()?;
                return usize::try_from(u32::from_be_bytes(number)).ok();
            }
            b"IDAT" => return None,
            _ => at = at.checked_add(12 + u32::from_be_bytes([l0, l1, l2, l3]) as usize)?,
        }
    }
}

/// Counts the frames of a WebP container.
fn of_webp(bytes: &[u8]) -> usize {
    let (mut at, mut found) = (12, 0);
    while let Some([a, b, c, d, l0, l1, l2, l3]) = bytes.get(at..at + 8) {
        found += usize::from([*a, *b, *c, *d] == *b"ANMF");
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        at += 8 + length + length % 2;
    }
    found.max(1)
}
