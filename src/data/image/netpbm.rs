//! PBM, PGM, PPM and PAM: bits, grey, colours, or any of these with opacity; in digits or in bytes. The specifications
//! are the pages of Netpbm (`man 5 pbm`, `pgm`, `ppm`, `pam`); values are scaled to 255 as Pillow does it.

use super::fault::{Fault, Note, Noted};
use super::pixels::on_white;
use super::range;
use super::{MAX_PIXELS, Rgb};

/// Whether a file begins like one of these.
pub(super) fn begins(bytes: &[u8]) -> bool {
    match bytes {
        [b'P', b'1'..=b'6', space, rest @ ..] if space.is_ascii_whitespace() => {
            // A text may begin so too, but hardly goes on with a number.
            let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
            next.is_none_or(|byte| byte.is_ascii_digit() || *byte == b'#')
        }
        [b'P', b'7', b'\n', rest @ ..] => {
            rest.first().is_none_or(|byte| byte.is_ascii_uppercase() || *byte == b'#')
        }
        _ => false,
    }
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Digits,
    /// Eight to a byte, rows begin at a byte.
    Bits,
    /// A byte, or two where the largest value needs them.
    Bytes,
}

/// What the header says.
struct Header {
    width: usize,
    height: usize,
    channels: usize,
    /// The largest value.
    most: u32,
    writing: Writing,
    /// In PBM 1 is black, elsewhere the largest value is white.
    one_is_black: bool,
    /// Where the values begin.
    begin: usize,
}

/// Width and height.
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), Fault> {
    let header = Header::read(bytes)?;
    Ok((header.width, header.height))
}

/// The first picture of the file.
pub(super) fn decode(bytes: &[u8]) -> Result<(Rgb, Vec<Note>), Fault> {
    let header = Header::read(bytes)?;
    if header.width as u64 * header.height as u64 > MAX_PIXELS {
        return Err(Fault::Damaged("it has more pixels than are decoded".to_owned()));
    }
    let values = header.values(bytes)?;
    let Noted { what: values, notes } = header.to_bytes(values);
    let pixels = values.chunks_exact(header.channels).flat_map(|pixel| match pixel {
        [grey] => [*grey; 3],
        [grey, opacity] => [on_white(*grey, *opacity); 3],
        [r, g, b] => [*r, *g, *b],
        [r, g, b, opacity, ..] => [r, g, b].map(|value| on_white(*value, *opacity)),
        [] => [0; 3],
    });
    Ok((Rgb { width: header.width, height: header.height, pixels: pixels.collect() }, notes))
}

fn cut() -> Fault {
    Fault::Truncated("it stops within the header".to_owned())
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Fault> {
        if bytes.starts_with(b"P7") {
            return Header::read_pam(bytes);
        }
        let kind = *bytes.get(1).ok_or_else(cut)?;
        let mut at = 2;
        let mut number = || {
            let found = next_number(bytes, &mut at)?;
            match at < bytes.len() {
                true => Ok(found),
                false => Err(cut()),
            }
        };
        let (width, height) = (number()? as usize, number()? as usize);
        let is_bits = matches!(kind, b'1' | b'4');
        let most = if is_bits { 1 } else { number()? };
        let writing = match kind {
            b'1'..=b'3' => Writing::Digits,
            b'4' => Writing::Bits,
            _ => Writing::Bytes,
        };
        let channels = if matches!(kind, b'3' | b'6') { 3 } else { 1 };
        // One white space, then values.
        Header { width, height, channels, most, writing, one_is_black: is_bits, begin: at + 1 }.checked()
    }

    /// Lines of a word and a value up to `ENDHDR`.
    fn read_pam(bytes: &[u8]) -> Result<Header, Fault> {
        let (mut at, mut width, mut height, mut channels, mut most) = (3, None, None, None, None);
        loop {
            let rest = bytes.get(at..).ok_or_else(cut)?;
            let end = rest.iter().take(4096).position(|byte| *byte == b'\n').ok_or_else(cut)?;
            let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
            at += end + 1;
            let mut words = line.split_ascii_whitespace();
            let (word, value) = (words.next().unwrap_or("#"), words.next().unwrap_or_default());
            let number = || {
                value.parse::<u32>().map_err(|_| Fault::Damaged(format!("{word} in its header is no number")))
            };
            match word {
                "ENDHDR" => break,
                "WIDTH" => width = Some(number()?),
                "HEIGHT" => height = Some(number()?),
                "DEPTH" => channels = Some(number()?),
                "MAXVAL" => most = Some(number()?),
                _ => {}
            }
        }
        let all = width.zip(height).zip(channels.zip(most));
        let ((width, height), (channels, most)) =
            all.ok_or_else(|| Fault::Damaged("its header lacks WIDTH, HEIGHT, DEPTH or MAXVAL".to_owned()))?;
        if !(1..=4).contains(&channels) {
            return Err(Fault::Unsupported(format!("a PAM image of {channels} channels")));
        }
        let (width, height, channels) = (width as usize, height as usize, channels as usize);
        Header { width, height, channels, most, writing: Writing::Bytes, one_is_black: false, begin: at }
            .checked()
    }

    fn checked(self) -> Result<Header, Fault> {
        match self.most {
            1..=65_535 => Ok(self),
            most => Err(Fault::Damaged(format!("its largest value is {most}, which is none of 1 to 65,535"))),
        }
    }

    fn values(&self, bytes: &[u8]) -> Result<Vec<u16>, Fault> {
        let short = || Fault::Truncated("its values stop before the last row".to_owned());
        let content = bytes.get(self.begin..).ok_or_else(short)?;
        let row = self.width * self.channels;
        let count = row * self.height;
        match self.writing {
            Writing::Bits => {
                let row_bytes = self.width.div_ceil(8);
                let content = content.get(..row_bytes * self.height).ok_or_else(short)?;
                let bit = |byte: &u8, at: usize| u16::from(byte >> (7 - at) & 1);
                let rows = content.chunks_exact(row_bytes.max(1));
                Ok(rows
                    .flat_map(|row| {
                        row.iter().flat_map(move |byte| (0..8).map(move |at| bit(byte, at))).take(self.width)
                    })
                    .collect())
            }
            Writing::Bytes if self.most < 256 => {
                let content = content.get(..count).ok_or_else(short)?;
                Ok(content.iter().map(|byte| u16::from(*byte)).collect())
            }
            Writing::Bytes => {
                let content = content.get(..2 * count).ok_or_else(short)?;
                Ok(content.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
            }
            Writing::Digits => self.digits(content, count),
        }
    }

    fn digits(&self, content: &[u8], count: usize) -> Result<Vec<u16>, Fault> {
        // Each value takes a byte at least.
        let mut values = Vec::with_capacity(count.min(content.len()));
        let mut at = 0;
        while values.len() < count {
            pass_spaces(content, &mut at);
            let value = match content.get(at) {
                None => return Err(Fault::Truncated("its values stop before the last row".to_owned())),
                // Bits need no space between them.
                Some(bit @ (b'0' | b'1')) if self.one_is_black => {
                    at += 1;
                    u32::from(bit - b'0')
                }
                Some(_) => next_number(content, &mut at)?,
            };
            if value > self.most {
                return Err(Fault::Damaged(format!(
                    "it holds {value}, though its largest value is {}",
                    self.most
                )));
            }
            values.push(value as u16);
        }
        Ok(values)
    }

    fn to_bytes(&self, values: Vec<u16>) -> Noted<Vec<u8>> {
        match self.most {
            255 => Noted { what: values.into_iter().map(|value| value as u8).collect(), notes: Vec::new() },
            65_535 => {
                let (range, notes) = range::of_words(values.iter().copied(), 16);
                Noted { what: values.into_iter().map(|value| range.word(value)).collect(), notes }
            }
            most => {
                let scaled = |value: u16| {
                    let whole = f64::from(value) / f64::from(most) * 255.0;
                    whole.round_ties_even().min(255.0) as u8
                };
                let byte = |value: u16| if self.one_is_black { 255 - scaled(value) } else { scaled(value) };
                Noted { what: values.into_iter().map(byte).collect(), notes: Vec::new() }
            }
        }
    }
}

/// Passes white space, and comments from `#` to the end of their line.
fn pass_spaces(bytes: &[u8], at: &mut usize) {
    while let Some(byte) = bytes.get(*at) {
        if *byte == b'#' {
            let rest = bytes.get(*at..).unwrap_or_default();
            *at += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        } else if byte.is_ascii_whitespace() {
            *at += 1;
        } else {
            return;
        }
    }
}

fn next_number(bytes: &[u8], at: &mut usize) -> Result<u32, Fault> {
    pass_spaces(bytes, at);
    let digits = bytes.get(*at..).unwrap_or_default();
    let length = digits.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let digits = digits.get(..length).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
    if digits.is_empty() && *at >= bytes.len() {
        return Err(cut());
    }
    *at += length;
    digits.parse().map_err(|_| Fault::Damaged("something else stands where a number should be".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(bytes: &[u8]) -> Vec<u8> {
        let (picture, _) = decode(bytes).unwrap();
        picture.pixels.chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn every_kind_is_read() {
        assert_eq!(grey(b"P1\n# a comment\n3 2\n1 0 1\n010"), [0, 255, 0, 255, 0, 255]);
        assert_eq!(grey(b"P4\n3 2\n\xa0\x40"), [0, 255, 0, 255, 0, 255]);
        assert_eq!(grey(b"P2 2 1 15 0 15"), [0, 255]);
        assert_eq!(grey(b"P5 2 1 255 \x07\xff"), [7, 255]);
        assert_eq!(grey(b"P5 2 1 65535 \x12\x34\xff\xff"), [0x12, 255]);
        assert_eq!(grey(b"P5 2 1 1000 \x01\xf4\x03\xe8"), [128, 255]);
        assert_eq!(decode(b"P3 1 1 255 1 2 3").unwrap().0.pixels, [1, 2, 3]);
        assert_eq!(decode(b"P6 1 1 # c\n255\n\x01\x02\x03").unwrap().0.pixels, [1, 2, 3]);
        let pam = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\x01\x02\x03\0";
        assert_eq!(decode(pam).unwrap().0.pixels, [255, 255, 255]);
        assert_eq!(
            grey(b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\0\x01"),
            [0, 255]
        );
        assert_eq!(decode(b"P5 1 1 65535 \x0f\xff").unwrap().1.len(), 1, "twelve bits in sixteen");
    }

    #[test]
    fn what_is_broken_is_said() {
        let check = |bytes: &[u8], expected: &str| {
            let found = decode(bytes).unwrap_err();
            assert!(format!("{found:?}").contains(expected), "{found:?}");
        };
        check(b"P5 2 1", "within the header");
        check(b"P5 2 1 255 \x07", "before the last row");
        check(b"P2 2 1 15 3", "before the last row");
        check(b"P2 2 1 15 0 16", "it holds 16");
        check(b"P2 2 x 15 0 16", "where a number should be");
        check(b"P5 2 1 99999 ab", "largest value is 99999");
        check(b"P7\nWIDTH 1\nENDHDR\n", "lacks");
    }

    #[test]
    fn a_text_is_none_of_them() {
        for text in ["P1 is the first", "P5", "Pages", "P7 of them"] {
            assert!(!begins(text.as_bytes()), "{text}");
        }
        assert!(begins(b"P6\n# made by x") && begins(b"P7\nWIDTH 3"));
    }
}
