//! Formats that are known by their first bytes and not decoded: what a file is, and what its owner can do.

/// A format that is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// With its article.
    pub what: &'static str,
    pub remedy: &'static str,
}

/// What most others can be saved as.
pub(super) const SAVE: &str = "Save it as JPEG or PNG.";

static AVIF: Foreign =
    Foreign { what: "an AVIF image", remedy: "Save it as JPEG or PNG, with an image viewer or a browser." };
static HEIC: Foreign = Foreign {
    what: "a HEIC image",
    remedy: "Export it as JPEG from the photo program; an iPhone takes JPEG where Settings, Camera, Formats says Most \
             Compatible.",
};
static RAW: Foreign =
    Foreign { what: "a camera's raw file", remedy: "Export it as JPEG or PNG from the camera's program." };
static VIDEO: Foreign = Foreign { what: "a video", remedy: "Save single pictures of it as JPEG or PNG." };
static ARCHIVE: Foreign =
    Foreign { what: "an archive", remedy: "Unpack it, and give the folder that comes of it." };
static VOLUME: Foreign =
    Foreign { what: "a scientific volume", remedy: "Export its slices as PNG or TIFF, one picture a file." };

/// Where a mark stands, the mark, and what it means.
static MARKS: &[(usize, &[u8], &Foreign)] = &[
    (0, b"\xff\x0a", &Foreign { what: "a JPEG XL image", remedy: SAVE }),
    (4, b"JXL \r\n", &Foreign { what: "a JPEG XL image", remedy: SAVE }),
    (0, b"\0\0\0\x0cjP  ", &Foreign { what: "a JPEG 2000 image", remedy: SAVE }),
    (0, b"\xff\x4f\xff\x51", &Foreign { what: "a JPEG 2000 image", remedy: SAVE }),
    (0, b"8BPS", &Foreign { what: "a Photoshop document", remedy: SAVE }),
    (0, b"gimp xcf", &Foreign { what: "a GIMP document", remedy: SAVE }),
    (0, b"%PDF", &Foreign { what: "a PDF document", remedy: "Save its pages as JPEG or PNG." }),
    (0, b"%!PS", &Foreign { what: "a PostScript document", remedy: "Save its pages as JPEG or PNG." }),
    (0, b"<svg", &Foreign { what: "an SVG or another XML document", remedy: "Save what it shows as PNG." }),
    (0, b"<?xml", &Foreign { what: "an SVG or another XML document", remedy: "Save what it shows as PNG." }),
    (
        0,
        b"<!DOCTYPE",
        &Foreign {
            what: "a web page, not the picture that was meant to be downloaded",
            remedy: "Download it again.",
        },
    ),
    (
        0,
        b"<html",
        &Foreign {
            what: "a web page, not the picture that was meant to be downloaded",
            remedy: "Download it again.",
        },
    ),
    (
        0,
        b"version https://git-lfs",
        &Foreign {
            what: "a pointer of Git LFS, not the file itself",
            remedy: "Fetch the files with `git lfs pull`.",
        },
    ),
    (0, b"\0\0\x01\0", &Foreign { what: "an icon (ICO)", remedy: SAVE }),
    (0, b"\x76\x2f\x31\x01", &Foreign { what: "an OpenEXR image", remedy: SAVE }),
    (0, b"#?RADIANCE", &Foreign { what: "a Radiance HDR image", remedy: SAVE }),
    (0, b"qoif", &Foreign { what: "a QOI image", remedy: SAVE }),
    (0, b"DDS ", &Foreign { what: "a DDS texture", remedy: SAVE }),
    (0, b"PF\n", &Foreign { what: "a PFM image (floats)", remedy: "Save it as PNG or TIFF." }),
    (0, b"Pf\n", &Foreign { what: "a PFM image (floats)", remedy: "Save it as PNG or TIFF." }),
    (0, b"FUJIFILMCCD-RAW", &RAW),
    (0, b"IIRO", &RAW),
    (0, b"IIU\0", &RAW),
    (0, b"SIMPLE  =", &VOLUME),
    (0, b"\x89HDF\r\n", &VOLUME),
    (0, b"\x93NUMPY", &VOLUME),
    (0, b"\x1a\x45\xdf\xa3", &VIDEO),
    (8, b"AVI ", &VIDEO),
    (0, b"PK\x03\x04", &ARCHIVE),
    (0, b"\x1f\x8b", &ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", &ARCHIVE),
    (0, b"Rar!", &ARCHIVE),
];

impl Foreign {
    /// What the first 32 bytes of a file say.
    pub fn of(bytes: &[u8]) -> Option<&'static Foreign> {
        let at = |start: usize, magic: &[u8]| {
            bytes.get(start..start + magic.len()).is_some_and(|found| found.eq_ignore_ascii_case(magic))
        };
        if at(4, b"ftyp") {
            return Some(of_brands(bytes));
        }
        MARKS.iter().find(|(start, magic, _)| at(*start, magic)).map(|(_, _, foreign)| *foreign)
    }
}

/// One box format holds pictures and videos; its brands tell them apart. ISO/IEC 14496-12, 23008-12.
fn of_brands(bytes: &[u8]) -> &'static Foreign {
    let brands = || {
        let all = bytes.get(8..32.min(bytes.len())).unwrap_or_default();
        // The second is a version.
        all.chunks_exact(4).enumerate().filter(|(number, _)| *number != 1).map(|(_, brand)| brand)
    };
    let has = |known: &[&[u8; 4]]| brands().any(|brand| known.iter().any(|known| brand == *known));
    if has(&[b"avif", b"avis"]) {
        &AVIF
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"])
    {
        &HEIC
    } else if has(&[b"crx "]) {
        &RAW
    } else {
        &VIDEO
    }
}
