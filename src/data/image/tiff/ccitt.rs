//! CCITT fax codes -> rows of bits, 1 is black. ITU-T T.4 (modified Huffman, Group 3) and T.6 (Group 4); the code
//! tables are those of the crate `fax`.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::Fault;
use super::layout::Compression;

/// Decodes `rows` rows of `width` pixels; fewer where the data end early.
pub(super) fn decode(data: &[u8], width: usize, rows: usize, kind: Compression) -> Result<Vec<u8>, Fault> {
    let mut bits = Bits { data, at: 0 };
    let row_bytes = width.div_ceil(8);
    let mut out = Vec::with_capacity((row_bytes * rows).min(data.len().saturating_mul(64)));
    let mut reference = Vec::new();
    for row in 0..rows {
        let changes = match next_coding(&mut bits, kind) {
            Coding::WithinRow => within_row(&mut bits, width),
            Coding::AcrossRows => across_rows(&mut bits, &reference, width),
        };
        match changes {
            Some(changes) => reference = changes,
            None if bits.at >= data.len() * 8 => return Ok(out),
            None => {
                return Err(Fault::Damaged(format!("row {} of its CCITT codes cannot be read", row + 1)));
            }
        }
        out.resize(out.len() + row_bytes, 0);
        let begin = out.len() - row_bytes;
        blacken(&reference, width, out.get_mut(begin..).unwrap_or_default());
    }
    Ok(out)
}

/// How a row is coded.
enum Coding {
    /// By the lengths of its runs.
    WithinRow,
    /// By how it differs from the row above.
    AcrossRows,
}

/// Goes to where the next row begins.
fn next_coding(bits: &mut Bits, kind: Compression) -> Coding {
    match kind {
        Compression::CcittGroup4 => Coding::AcrossRows,
        Compression::CcittGroup3 => {
            bits.pass_mark();
            Coding::WithinRow
        }
        Compression::CcittGroup3Mixed => match (bits.pass_mark(), bits.peek(1)) {
            (Mark::Found, Some(tag)) => {
                bits.at += 1;
                if tag == 1 { Coding::WithinRow } else { Coding::AcrossRows }
            }
            (Mark::Found | Mark::Absent, _) => Coding::WithinRow,
        },
        Compression::CcittRleWord => {
            bits.at = bits.at.next_multiple_of(16);
            Coding::WithinRow
        }
        _ => {
            bits.at = bits.at.next_multiple_of(8);
            Coding::WithinRow
        }
    }
}

/// Places where the colour changes, white first; the last ones may lie at the end of the row.
fn within_row(bits: &mut Bits, width: usize) -> Option<Vec<usize>> {
    let (mut changes, mut at, mut colour) = (Vec::new(), 0, Colour::White);
    while at < width {
        at += run(bits, colour)?;
        changes.push(at.min(width));
        colour = colour.other();
    }
    Some(changes)
}

fn across_rows(bits: &mut Bits, reference: &[usize], width: usize) -> Option<Vec<usize>> {
    let (mut changes, mut at, mut colour) = (Vec::new(), 0, Colour::White);
    let mut begun = false;
    let mut from = 0usize;
    while at < width {
        // The first change above that lies behind and is to the other colour. Even ones are to black.
        from = from.saturating_sub(2);
        let is_behind = |place: usize| place > at || (!begun && place == 0);
        let wanted = usize::from(colour == Colour::Black);
        while reference.get(from).is_some_and(|place| !is_behind(*place) || from % 2 != wanted) {
            from += 1;
        }
        let above = |number: usize| reference.get(number).copied().unwrap_or(width);
        match mode::decode(bits)? {
            Mode::Pass => at = above(from + 1),
            Mode::Vertical(by) => {
                let change = above(from).checked_add_signed(isize::from(by))?;
                if change < at || change > width {
                    return None;
                }
                changes.push(change);
                at = change;
                colour = colour.other();
            }
            Mode::Horizontal => {
                let first = at + run(bits, colour)?;
                at = first + run(bits, colour.other())?;
                changes.extend([first.min(width), at.min(width)]);
            }
            Mode::Extension | Mode::EOF => return None,
        }
        begun = true;
    }
    Some(changes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    White,
    Black,
}

impl Colour {
    fn other(self) -> Colour {
        match self {
            Colour::White => Colour::Black,
            Colour::Black => Colour::White,
        }
    }
}

/// The length of a run: any number of codes for multiples of 64, and one for the rest.
fn run(bits: &mut Bits, colour: Colour) -> Option<usize> {
    let mut length = 0;
    loop {
        let part = match colour {
            Colour::White => white::decode(bits)?,
            Colour::Black => black::decode(bits)?,
        };
        length += usize::from(part);
        if part < 64 {
            return Some(length);
        }
        if bits.at > bits.data.len() * 8 {
            return None;
        }
    }
}

/// Sets the bits of the black runs.
fn blacken(changes: &[usize], width: usize, row: &mut [u8]) {
    for run in changes.chunks(2) {
        let (start, end) = match run {
            [start, end] => (*start, *end),
            [start] => (*start, width),
            _ => continue,
        };
        // Whole bytes at once where runs are long.
        for at in start..end.min(width) {
            if let Some(byte) = row.get_mut(at / 8) {
                *byte |= 0x80 >> (at % 8);
            }
        }
    }
}

/// Bits from the highest of each byte on; zeros follow the last.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

/// Whether the mark between rows was there.
enum Mark {
    Found,
    Absent,
}

impl Bits<'_> {
    /// Passes the mark between rows where it comes next: at least eleven zeros, more to fill a byte, and a one.
    fn pass_mark(&mut self) -> Mark {
        if self.peek(11) != Some(0) || self.at >= self.data.len() * 8 {
            return Mark::Absent;
        }
        while self.peek(1) == Some(0) && self.at < self.data.len() * 8 {
            self.at += 1;
        }
        self.at += 1;
        Mark::Found
    }
}

impl BitReader for Bits<'_> {
    type Error = std::convert::Infallible;

    fn peek(&self, bits: u8) -> Option<u16> {
        let byte = |number: usize| u32::from(self.data.get(self.at / 8 + number).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let behind = 24u32.checked_sub(self.at as u32 % 8 + u32::from(bits))?;
        Some((word >> behind & ((1u32 << bits) - 1)) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), Self::Error> {
        self.at += usize::from(bits);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (8 - self.at % 8) as u8 % 8
    }
}
