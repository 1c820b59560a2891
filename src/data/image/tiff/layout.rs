//! What the tags of a picture mean: its samples, their colours, how they are packed, or why it is not read.

use super::Fault;
use super::directory::{Directory, Order, Tag};
use ::image::metadata::Orientation;

/// A picture that can be read.
pub(super) struct Layout<'a> {
    pub width: usize,
    pub height: usize,
    pub order: Order,
    /// Bits of a sample, the same for all.
    pub bits: usize,
    pub format: SampleFormat,
    /// Samples of a pixel: those of its colour and further ones.
    pub samples: usize,
    pub colours: Colours,
    pub alpha: Alpha,
    pub planes: Planes,
    pub chunks: Chunks,
    pub compression: Compression,
    pub predictor: Predictor,
    pub fill: Fill,
    /// Quantisation and code tables that all strips share.
    pub jpeg_tables: &'a [u8],
    pub orientation: Orientation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleFormat {
    Unsigned,
    Signed,
    Float,
}

/// What the samples of a pixel are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Colours {
    /// Grey, 0 is black.
    Black0,
    /// Grey, 0 is white.
    White0,
    Rgb,
    /// A number in a table of red, green and blue.
    Palette(Vec<[u8; 3]>),
    /// Inks, 0 is none.
    Cmyk,
    /// So many columns and rows share a pair of colour differences.
    YCbCr {
        across: usize,
        down: usize,
    },
}

impl Colours {
    /// Samples of a pixel.
    pub fn samples(&self) -> usize {
        match self {
            Colours::Black0 | Colours::White0 | Colours::Palette(_) => 1,
            Colours::Rgb | Colours::YCbCr { .. } => 3,
            Colours::Cmyk => 4,
        }
    }
}

/// What the first sample after the colours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    Absent,
    /// Opacity.
    Plain,
    /// Opacity by which the colours have been multiplied.
    Multiplied,
}

/// How the samples of a pixel lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planes {
    /// Beside each other.
    Together,
    /// Each in a plane of its own.
    Apart,
}

/// The pieces that a picture is stored in.
pub(super) struct Chunks {
    pub width: usize,
    pub height: usize,
    pub kind: ChunkKind,
    pub offsets: Vec<u64>,
    pub sizes: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkKind {
    /// Rows; the last strip ends with the picture.
    Strip,
    /// All of one size.
    Tile,
}

/// The part of a picture that one chunk fills.
pub(super) struct Part {
    pub number: usize,
    /// Columns and rows that are stored.
    pub columns: usize,
    pub rows: usize,
    /// Samples of a stored pixel.
    pub samples: usize,
}

impl Part {
    /// Bytes of a row as stored.
    pub fn row_bytes(&self, layout: &Layout) -> usize {
        (self.columns * self.samples * layout.bits).div_ceil(8)
    }

    /// Bytes of the chunk once decompressed.
    pub fn bytes(&self, layout: &Layout) -> usize {
        match layout.colours {
            Colours::YCbCr { across, down } if across * down > 1 && !layout.is_picture_coded() => {
                self.columns.div_ceil(across) * self.rows.div_ceil(down) * (across * down + 2)
            }
            _ => self.row_bytes(layout) * self.rows,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Absent,
    PackBits,
    Lzw,
    Deflate,
    Zstd,
    Lzma,
    Jpeg,
    WebP,
    /// Modified Huffman, rows begin at a byte.
    CcittRle,
    /// The same, rows begin at a word.
    CcittRleWord,
    CcittGroup3,
    /// Rows may be coded by how they differ from the one above.
    CcittGroup3Mixed,
    CcittGroup4,
}

impl Compression {
    /// Whether a predictor may come before it.
    fn takes_differences(self) -> bool {
        use Compression::{Deflate, Lzma, Lzw, Zstd};
        matches!(self, Lzw | Deflate | Zstd | Lzma)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    Absent,
    /// Differences of neighbours.
    Horizontal,
    /// The bytes of floats parted by their rank, then differences.
    Float,
}

/// Which bit of a byte comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    HighFirst,
    LowFirst,
}

/// Width and height.
pub(super) fn size(directory: &Directory) -> Result<(usize, usize), Fault> {
    let side = |tag: Tag| {
        let number = directory.number(tag)?.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Fault::Damaged("its header gives no size".to_owned()))
    };
    Ok((side(Tag::Width)?, side(Tag::Height)?))
}

impl<'a> Layout<'a> {
    /// What the tags say.
    ///
    /// # Errors
    ///
    /// What they say is not read, or contradicts itself.
    pub fn of(directory: &Directory<'a>) -> Result<Layout<'a>, Fault> {
        refuse_raw(directory)?;
        let (width, height) = size(directory)?;
        let bits = bits(directory)?;
        let samples = directory.number(Tag::Samples)?.unwrap_or(1);
        let samples = usize::try_from(samples).ok().filter(|number| (1..=64).contains(number));
        let samples = samples.ok_or_else(|| unsupported("more than 64 samples a pixel"))?;
        let compression = compression(directory)?;
        let colours = colours(directory, bits, samples)?;
        let alpha = alpha(directory, &colours, samples)?;
        let format = sample_format(directory, bits)?;
        let planes = match directory.number(Tag::Planar)? {
            Some(2) if samples > 1 => Planes::Apart,
            _ => Planes::Together,
        };
        let predictor = match directory.number(Tag::Predictor)? {
            None | Some(0 | 1) => Predictor::Absent,
            // As libtiff has it, the tag means nothing beside other compressions.
            Some(_) if !compression.takes_differences() => Predictor::Absent,
            Some(2) => Predictor::Horizontal,
            Some(3) if format == SampleFormat::Float => Predictor::Float,
            Some(other) => return Err(unsupported(&format!("predictor {other}"))),
        };
        let fill = match directory.number(Tag::FillOrder)? {
            Some(2) => Fill::LowFirst,
            _ => Fill::HighFirst,
        };
        let orientation = directory.number(Tag::Orientation)?.and_then(|number| u8::try_from(number).ok());
        let orientation = orientation.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
        let layout = Layout {
            width,
            height,
            order: directory.order,
            bits,
            format,
            samples,
            colours,
            alpha,
            planes,
            chunks: chunks(directory, width, height)?,
            compression,
            predictor,
            fill,
            jpeg_tables: directory.raw(Tag::JpegTables)?,
            orientation,
        };
        layout.check()?;
        Ok(layout)
    }

    /// Columns times rows.
    pub fn pixels(&self) -> u64 {
        (self.width as u64).saturating_mul(self.height as u64)
    }

    /// Whether the samples of a chunk are bytes that a decoder for whole pictures gives.
    pub fn is_picture_coded(&self) -> bool {
        matches!(self.compression, Compression::Jpeg | Compression::WebP)
    }

    /// What only the tags together show.
    fn check(&self) -> Result<(), Fault> {
        use Compression::{CcittGroup3, CcittGroup3Mixed, CcittGroup4, CcittRle, CcittRleWord};
        let is_fax = matches!(
            self.compression,
            CcittRle | CcittRleWord | CcittGroup3 | CcittGroup3Mixed | CcittGroup4
        );
        let is_byte = self.bits == 8 && self.format == SampleFormat::Unsigned;
        let is_subsampled = matches!(self.colours, Colours::YCbCr { across, down } if across * down > 1);
        if is_fax && (self.bits, self.samples) != (1, 1) {
            return Err(unsupported("CCITT compression of more than one bit a pixel"));
        }
        if self.is_picture_coded() && !is_byte {
            return Err(unsupported(&format!("{} bits a sample in a JPEG", self.bits)));
        }
        if self.compression == Compression::Jpeg && self.planes == Planes::Together && self.samples == 2 {
            return Err(unsupported("JPEG compression of grey with opacity"));
        }
        if matches!(self.colours, Colours::YCbCr { .. }) && !is_byte {
            return Err(unsupported(&format!("YCbCr colours of {} bits a sample", self.bits)));
        }
        if is_subsampled && !self.is_picture_coded() && self.planes == Planes::Apart {
            return Err(unsupported("subsampled YCbCr colours in planes of their own"));
        }
        if matches!(self.colours, Colours::Cmyk)
            && !(self.format == SampleFormat::Unsigned && self.bits <= 16)
        {
            return Err(unsupported(&format!("CMYK inks of {} bits", self.bits)));
        }
        match self.predictor {
            Predictor::Horizontal if !matches!(self.bits, 8 | 16 | 32 | 64) => {
                Err(unsupported(&format!("a horizontal predictor over {} bits", self.bits)))
            }
            Predictor::Horizontal | Predictor::Float | Predictor::Absent => Ok(()),
        }
    }
}

/// A camera's own file holds a small preview first, which is not the picture.
fn refuse_raw(directory: &Directory) -> Result<(), Fault> {
    let is_preview = directory.number(Tag::NewSubfileType)?.unwrap_or(0) & 1 == 1;
    let is_canons = directory.starts_with(8, b"CR");
    if is_canons || directory.has(Tag::DngVersion) || (is_preview && directory.has(Tag::SubDirectories)) {
        return Err(Fault::Unsupported("a camera's raw file (DNG, NEF, CR2 or the like)".to_owned()));
    }
    Ok(())
}

fn unsupported(what: &str) -> Fault {
    Fault::Unsupported(format!("a TIFF with {what}"))
}

fn bits(directory: &Directory) -> Result<usize, Fault> {
    let all = directory.numbers(Tag::Bits)?;
    let bits = all.first().copied().unwrap_or(1);
    if all.iter().any(|other| *other != bits) {
        let all: Vec<String> = all.iter().map(u64::to_string).collect();
        return Err(unsupported(&format!("samples of different sizes ({} bits)", all.join(", "))));
    }
    let bits = usize::try_from(bits).ok().filter(|bits| matches!(bits, 1..=16 | 24 | 32 | 64));
    bits.ok_or_else(|| unsupported(&format!("{} bits a sample", all.first().copied().unwrap_or(0))))
}

fn sample_format(directory: &Directory, bits: usize) -> Result<SampleFormat, Fault> {
    match directory.number(Tag::SampleFormat)? {
        // 4 is "undefined", which is read as if nothing were said.
        None | Some(0 | 1 | 4) => Ok(SampleFormat::Unsigned),
        Some(2) => Ok(SampleFormat::Signed),
        Some(3) if matches!(bits, 16 | 32 | 64) => Ok(SampleFormat::Float),
        Some(3) => Err(unsupported(&format!("float samples of {bits} bits"))),
        Some(5 | 6) => Err(unsupported("complex numbers as samples")),
        Some(other) => Err(unsupported(&format!("sample format {other}"))),
    }
}

fn colours(directory: &Directory, bits: usize, samples: usize) -> Result<Colours, Fault> {
    let colours = match directory.number(Tag::Photometric)? {
        // Bare scans leave it out.
        None if samples >= 3 => Colours::Rgb,
        None | Some(1) => Colours::Black0,
        Some(0) => Colours::White0,
        Some(2) => Colours::Rgb,
        Some(3) => palette(directory, bits)?,
        Some(4) => return Err(unsupported("a transparency mask instead of a picture")),
        Some(5) => Colours::Cmyk,
        Some(6) => {
            let [across, down] = match directory.numbers(Tag::Subsampling)?.as_slice() {
                [across, down, ..] => [*across, *down],
                _ => [2, 2],
            };
            match (across, down) {
                (1 | 2 | 4, 1 | 2 | 4) => Colours::YCbCr { across: across as usize, down: down as usize },
                _ => return Err(unsupported(&format!("YCbCr subsampling of {across} by {down}"))),
            }
        }
        Some(8) => return Err(unsupported("CIE L*a*b* colours")),
        Some(9) => return Err(unsupported("ICC L*a*b* colours")),
        Some(10) => return Err(unsupported("ITU L*a*b* colours")),
        Some(32803 | 34892) => return Err(unsupported("a camera's raw sensor values (CFA)")),
        Some(32844 | 32845) => return Err(unsupported("LogLuv colours")),
        Some(other) => return Err(unsupported(&format!("photometric interpretation {other}"))),
    };
    let needed = colours.samples();
    if samples < needed {
        return Err(Fault::Damaged(format!(
            "it has {samples} samples a pixel where its colours need {needed}"
        )));
    }
    if matches!(colours, Colours::Black0 | Colours::White0) && samples > 2 {
        return Err(unsupported(&format!("{samples} samples a pixel that are no RGB (channels or bands)")));
    }
    Ok(colours)
}

fn palette(directory: &Directory, bits: usize) -> Result<Colours, Fault> {
    let map = directory.numbers(Tag::ColourMap)?;
    let length = 1usize << bits.min(16);
    if bits > 16 || map.len() < 3 * length {
        return Err(Fault::Damaged(format!(
            "its colour map has {} entries, too few for {bits} bits",
            map.len() / 3
        )));
    }
    // Careless writers put bytes where words should be.
    let shift = if map.iter().all(|value| *value < 256) { 0 } else { 8 };
    let (red, rest) = map.split_at(length);
    let (green, blue) = rest.split_at(length);
    let colour = |((r, g), b): ((&u64, &u64), &u64)| [r, g, b].map(|value| (*value >> shift) as u8);
    Ok(Colours::Palette(red.iter().zip(green).zip(blue).map(colour).collect()))
}

fn alpha(directory: &Directory, colours: &Colours, samples: usize) -> Result<Alpha, Fault> {
    if samples <= colours.samples() {
        return Ok(Alpha::Absent);
    }
    Ok(match directory.number(Tag::ExtraSamples)? {
        // Inks have spot colours beside them.
        None if matches!(colours, Colours::Cmyk) => Alpha::Absent,
        Some(0) => Alpha::Absent,
        Some(1) => Alpha::Multiplied,
        // Corel Draw writes 999.
        None | Some(_) => Alpha::Plain,
    })
}

fn compression(directory: &Directory) -> Result<Compression, Fault> {
    let number = directory.number(Tag::Compression)?.unwrap_or(1);
    let name = match number {
        1 => return Ok(Compression::Absent),
        2 => return Ok(Compression::CcittRle),
        3 if directory.number(Tag::T4Options)?.unwrap_or(0) & 1 == 1 => {
            return Ok(Compression::CcittGroup3Mixed);
        }
        3 => return Ok(Compression::CcittGroup3),
        4 => return Ok(Compression::CcittGroup4),
        5 => return Ok(Compression::Lzw),
        7 => return Ok(Compression::Jpeg),
        8 | 32946 => return Ok(Compression::Deflate),
        32771 => return Ok(Compression::CcittRleWord),
        32773 => return Ok(Compression::PackBits),
        34925 => return Ok(Compression::Lzma),
        50000 => return Ok(Compression::Zstd),
        50001 => return Ok(Compression::WebP),
        6 => "old-style JPEG",
        9 | 10 | 34661 => "JBIG",
        32766 => "NeXT",
        32809 => "ThunderScan",
        32909 => "Pixar's film",
        33003 | 33004 | 33005 | 34712 => "JPEG 2000",
        34676 | 34677 => "SGI's LogLuv",
        34887 => "LERC",
        34892 | 52546 => "a camera's lossy JPEG",
        50002 | 52545 => "JPEG XL",
        _ => return Err(unsupported(&format!("compression {number}, which is not known here"))),
    };
    Err(unsupported(&format!("{name} compression")))
}

fn chunks(directory: &Directory, width: usize, height: usize) -> Result<Chunks, Fault> {
    let side = |tag: Tag| Ok(directory.number(tag)?.and_then(|side| usize::try_from(side).ok()));
    if directory.has(Tag::TileWidth) || directory.has(Tag::TileOffsets) {
        let sides = side(Tag::TileWidth)?.zip(side(Tag::TileHeight)?);
        let plausible = |side: &usize| (1..=65_536).contains(side);
        let sides = sides.filter(|(width, height)| plausible(width) && plausible(height));
        let (width, height) = sides.ok_or_else(|| Fault::Damaged("its tiles have no size".to_owned()))?;
        let (offsets, sizes) = (directory.numbers(Tag::TileOffsets)?, directory.numbers(Tag::TileBytes)?);
        return Ok(Chunks { width, height, kind: ChunkKind::Tile, offsets, sizes });
    }
    let rows = side(Tag::RowsPerStrip)?.filter(|rows| *rows > 0).unwrap_or(height).min(height);
    let (offsets, sizes) = (directory.numbers(Tag::StripOffsets)?, directory.numbers(Tag::StripBytes)?);
    Ok(Chunks { width, height: rows, kind: ChunkKind::Strip, offsets, sizes })
}
