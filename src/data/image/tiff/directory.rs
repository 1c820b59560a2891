//! The tags of a TIFF file: header and image file directories. TIFF 6.0, section 2; BigTIFF doubles the widths.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;

/// The order of bytes in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// An unsigned number of up to eight bytes.
    pub fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self {
            Order::Little => bytes.iter().rev().fold(0, add),
            Order::Big => bytes.iter().fold(0, add),
        }
    }
}

/// The tags of the first picture.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    pub order: Order,
    form: Form,
    fields: BTreeMap<u16, Field>,
    next: u64,
}

/// Widths of the fields of a directory.
#[derive(Clone, Copy)]
struct Form {
    /// Of an offset.
    offset: usize,
    /// Of the number of entries.
    entries: usize,
}

const CLASSIC: Form = Form { offset: 4, entries: 2 };
const BIG: Form = Form { offset: 8, entries: 8 };

/// One entry: the width of a value, how many there are, and where they lie.
#[derive(Clone, Copy)]
struct Field {
    width: usize,
    count: usize,
    at: usize,
}

/// The most directories that are looked at, so that none in a loop keeps the reader.
const MAX_PICTURES: usize = 10_000;

/// The tags that are read, by their numbers in the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Tag {
    NewSubfileType = 254,
    Width = 256,
    Height = 257,
    Bits = 258,
    Compression = 259,
    Photometric = 262,
    FillOrder = 266,
    StripOffsets = 273,
    Orientation = 274,
    Samples = 277,
    RowsPerStrip = 278,
    StripBytes = 279,
    Planar = 284,
    T4Options = 292,
    Predictor = 317,
    ColourMap = 320,
    TileWidth = 322,
    TileHeight = 323,
    TileOffsets = 324,
    TileBytes = 325,
    SubDirectories = 330,
    ExtraSamples = 338,
    SampleFormat = 339,
    JpegTables = 347,
    Subsampling = 530,
    DngVersion = 50706,
}

impl<'a> Directory<'a> {
    /// Reads header and first directory.
    pub fn first(bytes: &'a [u8]) -> Result<Directory<'a>, Fault> {
        let order = if bytes.starts_with(b"MM") { Order::Big } else { Order::Little };
        let number = |at: usize, width: usize| bytes.get(at..at + width).map(|found| order.number(found));
        let cut = || Fault::Truncated("it stops within the TIFF header".to_owned());
        let (form, at) = match number(2, 2).ok_or_else(cut)? {
            43 => (BIG, number(8, 8)),
            _ => (CLASSIC, number(4, 4)),
        };
        Directory::at(bytes, order, form, at.ok_or_else(cut)?)
    }

    fn at(bytes: &'a [u8], order: Order, form: Form, start: u64) -> Result<Directory<'a>, Fault> {
        let cut = || {
            Fault::Truncated("the directory of the TIFF, which says how to read it, is missing".to_owned())
        };
        let start = usize::try_from(start).map_err(|_| cut())?;
        let number =
            |at: usize, width: usize| bytes.get(at..at.checked_add(width)?).map(|found| order.number(found));
        let entries = number(start, form.entries).ok_or_else(cut)?;
        let wide = 4 + 2 * form.offset;
        let entries = usize::try_from(entries).ok().filter(|n| *n <= bytes.len() / wide).ok_or_else(cut)?;
        let begin = start + form.entries;
        let mut fields = BTreeMap::new();
        for entry in 0..entries {
            let at = begin + entry * wide;
            let head = number(at, 2).zip(number(at + 2, 2)).zip(number(at + 4, form.offset));
            let ((tag, kind), count) = head.ok_or_else(cut)?;
            let width = match kind {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 | 16 | 17 | 18 => 8,
                // A kind that is not known holds nothing that is looked for.
                _ => continue,
            };
            let within = at + 4 + form.offset;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let place = match count.checked_mul(width) {
                Some(size) if size <= form.offset => Some(within),
                Some(_) => number(within, form.offset).and_then(|at| usize::try_from(at).ok()),
                None => None,
            };
            if let (Ok(tag), Some(at)) = (u16::try_from(tag), place) {
                fields.entry(tag).or_insert(Field { width, count, at });
            }
        }
        let next = number(begin + entries * wide, form.offset).unwrap_or(0);
        Ok(Directory { bytes, order, form, fields, next })
    }

    /// Whether these bytes stand at that place of the file.
    pub fn starts_with(&self, at: usize, mark: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(mark))
    }

    /// Whether there is such a tag.
    pub fn has(&self, tag: Tag) -> bool {
        self.fields.contains_key(&(tag as u16))
    }

    /// The whole numbers of a tag; none where it is absent.
    ///
    /// # Errors
    ///
    /// The values lie beyond the end of the file.
    pub fn numbers(&self, tag: Tag) -> Result<Vec<u64>, Fault> {
        let Some(Field { width, .. }) = self.fields.get(&(tag as u16)) else {
            return Ok(Vec::new());
        };
        Ok(self.raw(tag)?.chunks_exact(*width).map(|value| self.order.number(value)).collect())
    }

    /// The first number of a tag.
    pub fn number(&self, tag: Tag) -> Result<Option<u64>, Fault> {
        Ok(self.numbers(tag)?.first().copied())
    }

    /// The bytes of a tag; none where it is absent.
    pub fn raw(&self, tag: Tag) -> Result<&'a [u8], Fault> {
        let Some(Field { width, count, at }) = self.fields.get(&(tag as u16)) else {
            return Ok(&[]);
        };
        let end = count.checked_mul(*width).and_then(|size| size.checked_add(*at));
        let found = end.and_then(|end| self.bytes.get(*at..end));
        found.ok_or_else(|| {
            Fault::Truncated(format!("the values of its TIFF tag {} are not there", tag as u16))
        })
    }

    /// Pictures behind this one that are not smaller copies of it.
    pub fn other_pictures(&self) -> usize {
        let (mut found, mut next, mut seen) = (0, self.next, BTreeSet::new());
        while next != 0 && seen.len() < MAX_PICTURES && seen.insert(next) {
            let Ok(directory) = Directory::at(self.bytes, self.order, self.form, next) else {
                break;
            };
            // Bit 0: a smaller copy; bit 2: a mask of another picture.
            let kind = directory.number(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
            found += usize::from(kind & 0b101 == 0);
            next = directory.next;
        }
        found
    }
}
