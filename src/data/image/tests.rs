use proptest::prelude::*;

use super::*;
use crate::data::goldens::{Reader, compare};

/// (name, bytes, what Pillow makes of them).
fn files() -> Vec<(String, Vec<u8>, Rgb)> {
    let mut file = Reader::new(include_bytes!("../goldens/decode.bin"));
    (0..file.number())
        .map(|_| {
            let length = file.number();
            let name = String::from_utf8(file.bytes(length).to_vec()).unwrap();
            let length = file.number();
            (name, file.bytes(length).to_vec(), file.image())
        })
        .collect()
}

#[test]
fn pixels_are_pillows() {
    for (name, bytes, expected) in files() {
        let decoded = decode_bytes(&bytes, Path::new(&name)).unwrap();
        assert_eq!((decoded.width, decoded.height), (expected.width, expected.height), "{name}");
        compare(&decoded.pixels, &expected.pixels, 0, &name);
    }
}

/// Kinds of TIFF and Netpbm: (name, bytes, levels that may differ, what Pillow or the array that was written shows).
fn kinds() -> Vec<(String, Vec<u8>, u8, Rgb)> {
    let mut file = Reader::new(include_bytes!("../goldens/kinds.bin"));
    (0..file.number())
        .map(|_| {
            let length = file.number();
            let name = String::from_utf8(file.bytes(length).to_vec()).unwrap();
            let length = file.number();
            let bytes = file.bytes(length).to_vec();
            (name, bytes, file.number() as u8, file.image())
        })
        .collect()
}

#[test]
fn every_kind_of_tiff_and_netpbm_is_read() {
    let mut wrong = Vec::new();
    for (name, bytes, levels, expected) in kinds() {
        match decode_bytes(&bytes, Path::new(&name)) {
            Err(error) => wrong.push(error.to_string()),
            Ok(found) if (found.width, found.height) != (expected.width, expected.height) => {
                wrong.push(format!("{name}: {} x {}", found.width, found.height));
            }
            Ok(found) => {
                let differences = found.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
                let worst = differences.max().unwrap_or(0);
                if worst > levels {
                    wrong.push(format!("{name}: up to {worst} levels"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The picture with the value of a tag, which must be there and in place, changed. Little endian.
fn with_tag(name: &str, tag: u16, value: u16) -> Vec<u8> {
    let mut bytes = kinds().into_iter().find(|(own, ..)| own == name).unwrap().1;
    let start = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let entries = usize::from(u16::from_le_bytes(bytes[start..start + 2].try_into().unwrap()));
    let at =
        (0..entries).map(|entry| start + 2 + 12 * entry).find(|at| bytes[*at..*at + 2] == tag.to_le_bytes());
    let at = at.unwrap_or_else(|| panic!("{name} has no tag {tag}"));
    bytes[at + 8..at + 10].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn a_tiff_that_is_not_read_is_named_in_its_own_terms() {
    let check = |name: &str, tag: u16, value: u16, expected: &str| {
        let error = decode_bytes(&with_tag(name, tag, value), Path::new("a.tif")).unwrap_err();
        assert_eq!(error.reason(), expected, "{error}");
        assert!(error.remedy().starts_with("Save it as"), "{}", error.remedy());
    };
    let cannot = |what: &str| format!("cannot be read here: it is a TIFF with {what}");
    check("raw.tif", 259, 34887, &cannot("LERC compression"));
    check("raw.tif", 259, 6, &cannot("old-style JPEG compression"));
    check("grey_alpha.tif", 259, 7, &cannot("JPEG compression of grey with opacity"));
    check("raw.tif", 259, 777, &cannot("compression 777, which is not known here"));
    check("raw.tif", 262, 8, &cannot("CIE L*a*b* colours"));
    check("raw.tif", 262, 32803, &cannot("a camera's raw sensor values (CFA)"));
    check("raw.tif", 262, 1, &cannot("3 samples a pixel that are no RGB (channels or bands)"));
    check("float_grey.tif", 339, 5, &cannot("complex numbers as samples"));
    check("tiff_lzw_predictor.tif", 317, 9, &cannot("predictor 9"));
    check("float_grey.tif", 258, 7, &cannot("float samples of 7 bits"));
}

#[test]
fn what_is_assumed_is_said() {
    let check = |name: &str, expected: &[&str]| {
        let (_, bytes, ..) = kinds().into_iter().find(|(own, ..)| own == name).unwrap();
        let (_, notes) = super::check(&bytes, Path::new(name)).unwrap();
        let reasons: Vec<&str> = notes.iter().map(|note| note.reason.as_str()).collect();
        assert_eq!(reasons, expected, "{name}");
    };
    check("grey_16<.tif", &[]);
    check("float32<.tif", &[]);
    check(
        "twelve_in_sixteen.tif",
        &[
            "none of its 16 bits a value goes beyond 4,095 (the highest is 3,543), so they are read as 12 bits",
        ],
    );
    check("float_of_255.tif", &["its float values go up to 221, so they are read as 0 to 255"]);
    check(
        "three_pages.tif",
        &["it holds 3 pictures (pages, or layers of a stack), and the first one is used"],
    );
    check(
        "int32_of_words.tif",
        &["its signed 32-bit values go up to 56,576, so they are read as 0 to 65,535"],
    );
}

#[test]
fn twelve_bits_in_a_png_are_scaled() {
    let image =
        ::image::ImageBuffer::<::image::Luma<u16>, _>::from_fn(16, 2, |x, _| ::image::Luma([x as u16 * 273]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ::image::ImageFormat::Png).unwrap();
    let (bytes, path) = (bytes.into_inner(), Path::new("a.png"));
    let expected: Vec<u8> = (0..16u8).flat_map(|x| [x * 17; 3]).collect();
    assert_eq!(decode_bytes(&bytes, path).unwrap().pixels[..48], expected);
    let (_, notes) = check(&bytes, path).unwrap();
    assert!(notes[0].reason.contains("read as 12 bits"), "{notes:?}");
}

#[test]
fn a_jpeg_of_a_rare_kind_is_named() {
    let (_, jpeg, _) = files().swap_remove(0);
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let mut twelve = jpeg.clone();
    twelve[at + 4] = 12;
    let mut lossless = jpeg;
    lossless[at + 1] = 0xc3;
    for (bytes, expected) in
        [(twelve, "a JPEG with 12 bits a value"), (lossless, "a JPEG with lossless compression")]
    {
        for error in [check(&bytes, Path::new("a.jpg")).err(), decode_bytes(&bytes, Path::new("a.jpg")).err()]
        {
            assert_eq!(error.unwrap().reason(), format!("cannot be read here: it is {expected}"));
        }
    }
}

#[test]
fn a_tiff_may_not_ask_for_any_memory() {
    // A picture of 23 x 18 that says 9,000 x 9,000 with 64 samples of 64 bits.
    let mut bytes = with_tag("raw.tif", 256, 9000);
    for (tag, value) in [(257u16, 9000u16), (277, 64)] {
        let at = bytes.windows(2).rposition(|pair| pair == tag.to_le_bytes()).unwrap();
        bytes[at + 8..at + 10].copy_from_slice(&value.to_le_bytes());
    }
    assert!(decode_bytes(&bytes, Path::new("a.tif")).is_err());
}

#[test]
fn an_animation_is_said_to_be_one() {
    use ::image::codecs::gif::GifEncoder;
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for shade in 0..3 {
        let frame = ::image::RgbaImage::from_pixel(5, 4, ::image::Rgba([shade * 90, 0, 0, 255]));
        encoder.encode_frame(::image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let (_, notes) = check(&bytes, Path::new("a.gif")).unwrap();
    assert_eq!(notes[0].reason, "it holds 3 pictures (it is animated), and the first one is used");
    let mut frames = Vec::new();
    let mut png = png::Encoder::new(&mut frames, 4, 3);
    png.set_color(png::ColorType::Grayscale);
    png.set_animated(2, 0).unwrap();
    let mut writer = png.write_header().unwrap();
    writer.write_image_data(&[1; 12]).unwrap();
    writer.write_image_data(&[2; 12]).unwrap();
    writer.finish().unwrap();
    let (_, notes) = check(&frames, Path::new("a.png")).unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let chunk = |name: &[u8], length: u32| [name, &length.to_le_bytes(), &vec![0; length as usize]].concat();
    let webp =
        [b"RIFF\0\0\0\0WEBP".to_vec(), chunk(b"VP8X", 10), chunk(b"ANMF", 16), chunk(b"ANMF", 16)].concat();
    assert_eq!(animation::pictures(Format::WebP, &webp), 2);
    for (name, bytes, _) in files() {
        assert_eq!(check(&bytes, Path::new(&name)).unwrap().1, [], "{name}");
    }
}

#[test]
fn formats_that_are_not_read_are_named() {
    let check = |bytes: &[u8], expected: &str| {
        let error = decode_bytes(bytes, Path::new("a.jpg")).unwrap_err();
        assert_eq!(error.reason(), format!("cannot be read here: it is {expected}"));
    };
    check(b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf", "an AVIF image");
    // Of brands that both use, the others tell.
    check(b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf", "an AVIF image");
    check(b"\0\0\0\x20ftypmif1\0\0\0\0mif1heicmiaf", "a HEIC image");
    check(b"\0\0\0\x20ftypmsf1\0\0\0\0hevcmsf1", "a HEIC image");
    check(b"\0\0\0\x20ftypisom\0\0\0\0isommp42", "a video");
    check(b"\0\0\0\x20ftypcrx \0\0\0\0crx isom", "a camera's raw file");
    check(b"<!doctype html><html>", "a web page, not the picture that was meant to be downloaded");
    check(b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS, not the file itself");
    check(b"PK\x03\x04 and so on", "an archive");
    check(b"\x93NUMPY\x01\0v\0", "a scientific volume");
}

#[test]
fn headers_say_what_is_decoded() {
    for (name, bytes, expected) in files() {
        let path = Path::new(&name);
        let (header, _) = check(&bytes, path).unwrap();
        assert!(header.format.fits_name(path), "{name}");
        // Upright or lying.
        let (mut stored, mut upright) = ([header.width, header.height], [expected.width, expected.height]);
        stored.sort_unstable();
        upright.sort_unstable();
        assert_eq!(stored, upright, "{name}");
    }
}

#[test]
fn a_cut_file_is_truncated() {
    // Of several pictures the first may be whole.
    let kinds = kinds().into_iter().filter(|(name, ..)| name != "three_pages.tif");
    let kinds = kinds.map(|(name, bytes, ..)| (name, bytes));
    for (name, bytes) in files().into_iter().map(|(name, bytes, _)| (name, bytes)).chain(kinds) {
        let path = Path::new(&name);
        let cut = &bytes[..bytes.len() * 2 / 3];
        for error in [check(cut, path).err(), decode_bytes(cut, path).err()] {
            let error = error.unwrap_or_else(|| panic!("{name} was read"));
            assert_eq!(error.kind(), FindingKind::Truncated, "{name}: {error}");
        }
    }
}

#[test]
fn what_is_no_image_is_said() {
    let check = |bytes: &[u8], kind, words: &str| {
        let error = decode_bytes(bytes, Path::new("a.jpg")).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with("a.jpg ") && error.reason().contains(words), "{error}");
        assert!(!error.remedy().is_empty());
    };
    check(b"", FindingKind::Empty, "is empty");
    check(b"these are words", FindingKind::Unreadable, "is no image");
    check(b"BM is how this text begins, and goes on", FindingKind::Unreadable, "is no image");
    check(b"\0\0\0\x18ftypheic....", FindingKind::Unreadable, "HEIC");
    check(b"\xff\xd8\xff\xe0\0\x10JFIF", FindingKind::Truncated, "header");
}

/// A PNG that claims to be 20,000 x 20,000, of a few bytes.
pub(crate) fn huge_png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        let body = [&kind[..], data].concat();
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    };
    let size = 20_000u32.to_be_bytes();
    chunk(b"IHDR", &[&size[..], &size[..], &[8, 2, 0, 0, 0]].concat());
    chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    png
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
    };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn pixels_are_bounded_before_decoding() {
    let error = decode_bytes(&huge_png(), Path::new("a.png")).unwrap_err();
    assert_eq!(error.kind(), FindingKind::TooLarge, "{error}");
    assert!(error.to_string().contains("20000 x 20000"), "{error}");
    // The same in a JPEG header.
    let (_, mut jpeg, _) = files().swap_remove(0);
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    let error = decode_bytes(&jpeg, Path::new("a.jpg")).unwrap_err();
    assert_eq!(error.kind(), FindingKind::TooLarge, "{error}");
}

#[test]
fn small_damage_within_a_jpeg_is_borne() {
    let (name, mut jpeg, _) = files().swap_remove(0);
    // Bytes between the end of the data and the end mark, as some cameras leave them.
    let end = jpeg.len() - 2;
    jpeg.splice(end..end, [0, 0, 0]);
    assert!(decode_bytes(&jpeg, Path::new(&name)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_panic(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let kinds = kinds().into_iter().map(|(name, bytes, ..)| (name, bytes));
        let files: Vec<_> = files().into_iter().map(|(name, bytes, _)| (name, bytes)).chain(kinds).collect();
        let (name, mut bytes) = files[file.index(files.len())].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        let path = Path::new(&name);
        if let Ok(image) = decode_bytes(&bytes, path) {
            prop_assert_eq!(image.pixels.len(), image.width * image.height * 3);
        }
        let _ = check(&bytes, path);
    }
}
