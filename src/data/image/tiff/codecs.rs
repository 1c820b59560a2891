//! The compressions of strips and tiles.

use std::borrow::Cow;
use std::io::Read;

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use super::Fault;
use super::ccitt;
use super::layout::{Colours, Compression, Fill, Layout, Part};

/// The most memory that a dictionary may take, as much as the best settings of the usual programs.
const MAX_DICTIONARY: u64 = 128 << 20;

/// The bytes of a chunk as its rows are packed; at most as many as it needs.
pub(super) fn decompress(stored: &[u8], layout: &Layout, part: &Part) -> Result<Vec<u8>, Fault> {
    let needed = part.bytes(layout);
    let stored = match (layout.fill, layout.is_picture_coded()) {
        (Fill::LowFirst, false) => Cow::Owned(stored.iter().map(|byte| byte.reverse_bits()).collect()),
        (Fill::LowFirst | Fill::HighFirst, _) => Cow::Borrowed(stored),
    };
    let stored: &[u8] = &stored;
    match layout.compression {
        Compression::Absent => Ok(stored.get(..needed).unwrap_or(stored).to_vec()),
        Compression::PackBits => Ok(pack_bits(stored, needed)),
        Compression::Lzw => lzw(stored, needed),
        Compression::Deflate => read(flate2::read::ZlibDecoder::new(stored), needed, "deflate"),
        Compression::Zstd => {
            let decoder =
                ruzstd::decoding::StreamingDecoder::new_with_max_window_size(stored, MAX_DICTIONARY);
            let decoder = decoder.map_err(|_| broken("Zstandard"))?;
            read(decoder, needed, "Zstandard")
        }
        Compression::Lzma => {
            let most = (MAX_DICTIONARY >> 10) as u32;
            read(lzma_rust2::XzReader::new_mem_limit(stored, false, most), needed, "LZMA")
        }
        Compression::Jpeg => jpeg(stored, layout, part),
        Compression::WebP => webp(stored, part),
        Compression::CcittRle
        | Compression::CcittRleWord
        | Compression::CcittGroup3
        | Compression::CcittGroup3Mixed
        | Compression::CcittGroup4 => ccitt::decode(stored, part.columns, part.rows, layout.compression),
    }
}

fn broken(name: &str) -> Fault {
    Fault::Damaged(format!("its {name} data cannot be decompressed"))
}

/// Reads as many bytes as are needed; fewer where the data end early.
fn read(mut decoder: impl Read, needed: usize, name: &str) -> Result<Vec<u8>, Fault> {
    let mut out = vec![0; needed];
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match decoder.read(rest) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(_) => return Err(broken(name)),
        }
    }
    out.truncate(filled);
    Ok(out)
}

/// Runs of bytes. TIFF 6.0, section 9.
fn pack_bits(mut stored: &[u8], needed: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(needed);
    while let (true, Some((head, rest))) = (out.len() < needed, stored.split_first()) {
        stored = match (*head, rest.split_first()) {
            (0..=127, _) => {
                let (run, behind) = rest.split_at(rest.len().min(usize::from(*head) + 1));
                out.extend_from_slice(run);
                behind
            }
            (128, _) => rest,
            (129.., Some((byte, behind))) => {
                out.extend(std::iter::repeat_n(*byte, 257 - usize::from(*head)));
                behind
            }
            (129.., None) => rest,
        };
    }
    out.truncate(needed);
    out
}

/// TIFF 6.0, section 13; before revision 5 the bits of a code came in the other order.
fn lzw(stored: &[u8], needed: usize) -> Result<Vec<u8>, Fault> {
    let is_old = matches!(stored, [0, second, ..] if second & 1 == 1);
    let mut decoder = match is_old {
        true => weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8),
        false => weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8),
    };
    let mut out = vec![0; needed];
    let (mut taken, mut filled) = (0, 0);
    while let (Some(input), Some(rest)) = (stored.get(taken..), out.get_mut(filled..)) {
        if rest.is_empty() {
            break;
        }
        let step = decoder.decode_bytes(input, rest);
        taken += step.consumed_in;
        filled += step.consumed_out;
        match step.status {
            Ok(weezl::LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(_) => return Err(broken("LZW")),
        }
    }
    out.truncate(filled);
    Ok(out)
}

/// A JPEG without its tables, which all chunks share. TIFF's technical note 2.
fn jpeg(stored: &[u8], layout: &Layout, part: &Part) -> Result<Vec<u8>, Fault> {
    let inner = |bytes: &[u8]| bytes.strip_prefix(b"\xff\xd8").map(<[u8]>::to_vec);
    let stream = inner(stored).ok_or_else(|| broken("JPEG"))?;
    let mut tables = inner(layout.jpeg_tables).unwrap_or_default();
    if tables.ends_with(b"\xff\xd9") {
        tables.truncate(tables.len() - 2);
    }
    // What the samples are is said by the TIFF, which the mark of Adobe tells the decoder.
    let transform = u8::from(matches!(layout.colours, Colours::YCbCr { .. }));
    let mark = [b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat();
    let whole = [mark, tables, stream].concat();
    let mut decompressor = Decompressor::new().map_err(|_| broken("JPEG"))?;
    decompressor.set_scan_limit(500).map_err(|_| broken("JPEG"))?;
    let header = decompressor.read_header(&whole).map_err(|_| broken("JPEG"))?;
    let (format, channels) = match header.colorspace {
        Colorspace::Gray => (PixelFormat::GRAY, 1),
        Colorspace::CMYK | Colorspace::YCCK => (PixelFormat::CMYK, 4),
        Colorspace::RGB | Colorspace::YCbCr => (PixelFormat::RGB, 3),
    };
    let (width, height) = (header.width, header.height);
    if channels != part.samples || width > part.columns || height > part.rows {
        return Err(Fault::Damaged("a JPEG within it has another size or other colours".to_owned()));
    }
    let mut pixels = vec![0; width * height * channels];
    let pitch = width * channels;
    let target = Image { pixels: &mut pixels[..], width, pitch, height, format };
    decompressor.decompress(&whole, target).map_err(|_| broken("JPEG"))?;
    Ok(widened(pixels, (width, channels), part))
}

fn webp(stored: &[u8], part: &Part) -> Result<Vec<u8>, Fault> {
    let picture = ::image::load_from_memory_with_format(stored, ::image::ImageFormat::WebP);
    let picture = picture.map_err(|_| broken("WebP"))?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if width > part.columns || height > part.rows {
        return Err(Fault::Damaged("a WebP within it has another size".to_owned()));
    }
    let pixels = match part.samples {
        3 => picture.into_rgb8().into_raw(),
        4 => picture.into_rgba8().into_raw(),
        _ => return Err(Fault::Damaged("a WebP within it has other colours".to_owned())),
    };
    Ok(widened(pixels, (width, part.samples), part))
}

/// Rows as wide as those of the chunk.
fn widened(pixels: Vec<u8>, (width, channels): (usize, usize), part: &Part) -> Vec<u8> {
    if width == part.columns || width == 0 {
        return pixels;
    }
    let mut out = Vec::with_capacity(part.columns * part.rows * channels);
    for row in pixels.chunks_exact(width * channels) {
        out.extend_from_slice(row);
        out.resize(out.len() + (part.columns - width) * channels, 0);
    }
    out
}
