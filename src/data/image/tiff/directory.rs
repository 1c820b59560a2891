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
pub(super) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTES: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const T4_OPTIONS: u16 = 292;
    pub const PREDICTOR: u16 = 317;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const SUB_DIRECTORIES: u16 = 330;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const SUBSAMPLING: u16 = 530;
    pub const DNG_VERSION: u16 = 50706;
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

    /// Whether there is such a tag.
    pub fn has(&self, tag: u16) -> bool {
        self.fields.contains_key(&tag)
    }

    /// The whole numbers of a tag; none where it is absent.
    ///
    /// # Errors
    ///
    /// The values lie beyond the end of the file.
    pub fn numbers(&self, tag: u16) -> Result<Vec<u64>, Fault> {
        let Some(Field { width, .. }) = self.fields.get(&tag) else {
            return Ok(Vec::new());
        };
        Ok(self.raw(tag)?.chunks_exact(*width).map(|value| self.order.number(value)).collect())
    }

    /// The first number of a tag.
    pub fn number(&self, tag: u16) -> Result<Option<u64>, Fault> {
        Ok(self.numbers(tag)?.first().copied())
    }

    /// The bytes of a tag; none where it is absent.
    pub fn raw(&self, tag: u16) -> Result<&'a [u8], Fault> {
        let Some(Field { width, count, at }) = self.fields.get(&tag) else {
            return Ok(&[]);
        };
        let end = count.checked_mul(*width).and_then(|size| size.checked_add(*at));
        let found = end.and_then(|end| self.bytes.get(*at..end));
        found.ok_or_else(|| Fault::Truncated(format!("the values of its TIFF tag {tag} are not there")))
    }

    /// Pictures behind this one that are not smaller copies of it.
    pub fn other_pictures(&self) -> usize {
        let (mut found, mut next, mut seen) = (0, self.next, BTreeSet::new());
        while next != 0 && seen.len() < MAX_PICTURES && seen.insert(next) {
            let Ok(directory) = Directory::at(self.bytes, self.order, self.form, next) else {
                break;
            };
            // Bit 0: a smaller copy; bit 2: a mask of another picture.
            let kind = directory.number(tag::NEW_SUBFILE_TYPE).ok().flatten().unwrap_or(0);
            found += usize::from(kind & 0b101 == 0);
            next = directory.next;
        }
        found
    }
}
