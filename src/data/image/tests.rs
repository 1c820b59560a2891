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

#[test]
fn headers_say_what_is_decoded() {
    for (name, bytes, expected) in files() {
        let path = Path::new(&name);
        let header = check(&bytes, path).unwrap();
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
    for (name, bytes, _) in files() {
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
        file in 0usize..27,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let files = files();
        let (name, mut bytes, _) = files[file % files.len()].clone();
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
