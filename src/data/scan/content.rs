//! The bytes of a table -> UTF-8 with line feeds, which its readers expect.

use std::borrow::Cow;

use super::options::TextEncoding;

/// A table as its readers take it, and what was done for that.
pub(super) struct Content<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// The encoding that it was read in.
    pub encoding: &'static str,
    /// What was read around: the line, and what is said of it.
    pub passed_over: Vec<(Option<u64>, String)>,
}

/// Why a file is no text: what it is instead.
#[derive(Debug)]
pub(super) struct NoText(pub &'static str);

/// Reads the `encoding` that the user names, or else UTF-16, as UTF-8, drops a byte order mark and single NUL bytes, and ends lines with a line feed where they
/// end with a carriage return alone. Bytes that are no UTF-8 stay as they are: they cost their row only.
///
/// # Errors
///
/// For what is no text at all, or UTF-16 that is broken.
pub(super) fn decode(bytes: &[u8], encoding: Option<TextEncoding>) -> Result<Content<'_>, NoText> {
    let mut passed_over = Vec::new();
    let mut name = "UTF-8";
    let mut text = match encoding {
        Some(TextEncoding(encoding)) => {
            name = encoding.name();
            let (text, has_faults) = encoding.decode_with_bom_removal(bytes);
            if has_faults {
                let said = format!("bytes that mean nothing in {} are read as “\u{fffd}”", encoding.name());
                passed_over.push((None, said));
            }
            Cow::Owned(text.into_owned().into_bytes())
        }
        None => match wide(bytes) {
            Some((content, unit)) => {
                name = "UTF-16";
                Cow::Owned(from_utf16(content, unit)?)
            }
            None => Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
        },
    };
    let zeros = text.iter().filter(|byte| **byte == 0).count();
    if zeros > 0 {
        /// A few zeros are a fault of whatever wrote the table, many are the format of something else.
        const BYTES_PER_ZERO: usize = 100;
        if zeros > text.len().div_ceil(BYTES_PER_ZERO) {
            return Err(NoText("is no text: it is full of NUL bytes"));
        }
        passed_over.extend(lines_with_zeros(&text));
        text.to_mut().retain(|byte| *byte != 0);
    }
    if text.contains(&b'\r') {
        if !text.contains(&b'\n') {
            text.to_mut().iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        } else if returns_end_lines(&text) {
            end_lines_with_feeds(text.to_mut());
        }
    }
    Ok(Content { bytes: text, encoding: name, passed_over })
}

/// What ends a line outside of quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Feed,
    /// A carriage return with no line feed behind it.
    Return,
}

/// Tells the ends of lines from breaks within quoted fields.
struct Ends {
    quoted: bool,
    before: u8,
}

impl Ends {
    fn new() -> Ends {
        Ends { quoted: false, before: b'\n' }
    }

    fn step(&mut self, byte: u8, next: Option<u8>) -> Option<End> {
        let before = std::mem::replace(&mut self.before, byte);
        let ends_field = matches!(next, None | Some(b',' | b';' | b'\t' | b'|' | b'\n' | b'\r'));
        match byte {
            b'"' if self.quoted => self.quoted = before == b'\\' && !ends_field,
            // Doubled within quotes, or at the beginning of a field.
            b'"' => self.quoted = matches!(before, b'"' | b',' | b';' | b'\t' | b'|' | b'\n' | b'\r' | b' '),
            b'\n' if !self.quoted => return Some(End::Feed),
            b'\r' if !self.quoted && next != Some(b'\n') => return Some(End::Return),
            _ => {}
        }
        None
    }
}

/// Whether carriage returns end lines by themselves: a few among many line feeds are white space within fields.
fn returns_end_lines(text: &[u8]) -> bool {
    /// Of so many ends of lines one must be such.
    const LEAST: usize = 20;
    let (mut ends, mut returns, mut feeds) = (Ends::new(), 0_usize, 0_usize);
    for (at, byte) in text.iter().enumerate() {
        match ends.step(*byte, text.get(at + 1).copied()) {
            Some(End::Return) => returns += 1,
            Some(End::Feed) => feeds += 1,
            None => {}
        }
    }
    returns > 0 && returns * LEAST >= feeds
}

fn end_lines_with_feeds(text: &mut [u8]) {
    let mut ends = Ends::new();
    for at in 0..text.len() {
        let next = text.get(at + 1).copied();
        if let Some(byte) = text.get_mut(at)
            && ends.step(*byte, next) == Some(End::Return)
        {
            *byte = b'\n';
        }
    }
}

/// How two bytes make a unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// What follows the mark of UTF-16 and the order of its bytes. Without a mark, western letters tell: every other byte
/// of theirs is zero.
fn wide(bytes: &[u8]) -> Option<(&[u8], Unit)> {
    if let Some(content) = bytes.strip_prefix(b"\xff\xfe") {
        return Some((content, u16::from_le_bytes));
    }
    if let Some(content) = bytes.strip_prefix(b"\xfe\xff") {
        return Some((content, u16::from_be_bytes));
    }
    let start = bytes.get(..4096).unwrap_or(bytes);
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = start.len() / 4;
    match (even, odd) {
        (even, odd) if odd > most && even * 10 < odd => Some((bytes, u16::from_le_bytes)),
        (even, odd) if even > most && odd * 10 < even => Some((bytes, u16::from_be_bytes)),
        _ => None,
    }
}

fn from_utf16(bytes: &[u8], unit: Unit) -> Result<Vec<u8>, NoText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text.into_bytes()),
        Ok(_) | Err(_) => Err(NoText("is UTF-16, and broken: a character is cut")),
    }
}

/// Lines with zeros that are told of, and one more, by which it is seen that there are more.
const MOST_LINES: usize = 1001;

fn lines_with_zeros(bytes: &[u8]) -> Vec<(Option<u64>, String)> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1u64..);
    let with_zeros = lines.filter(|(text, _)| text.contains(&0));
    with_zeros
        .take(MOST_LINES)
        .map(|(_, line)| (Some(line), "a NUL byte is passed over".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str, passed_over: usize) {
        let content = decode(bytes, None).unwrap();
        assert_eq!(String::from_utf8_lossy(&content.bytes), expected);
        assert_eq!(content.passed_over.len(), passed_over);
    }

    #[test]
    fn every_encoding_becomes_utf8_with_line_feeds() {
        let text = "text,label\r\nsüße Äpfel und Birnen 😀,a\r\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        check(&[b"\xff\xfe", little.as_slice()].concat(), text, 0);
        check(&[b"\xfe\xff", big.as_slice()].concat(), text, 0);
        check(&little, text, 0);
        check(&big, text, 0);
        check(&[b"\xef\xbb\xbf", text.as_bytes()].concat(), text, 0);
        check(b"a,b\rc,d\r", "a,b\nc,d\n", 0);
        check(b"a,b\rc,\"d\ne\"\rf,g\r", "a,b\nc,\"d\ne\"\nf,g\n", 0);
        check(b"a,\"b \\\"x\\\" y\"\rc,\"d\ne\"\rf,g\r", "a,\"b \\\"x\\\" y\"\nc,\"d\ne\"\nf,g\n", 0);
        check(b"a,b\r\nc,d\re,f\n", "a,b\r\nc,d\ne,f\n", 0);
        let stray = [b"a \r b,c\n".as_slice(), &b"d,e\n".repeat(40)].concat();
        check(&stray, std::str::from_utf8(&stray).unwrap(), 0);
        check(b"a,b\r\nc,\"d\re\"\r\n", "a,b\r\nc,\"d\re\"\r\n", 0);
    }

    #[test]
    fn an_encoding_that_is_named_is_read() {
        let read = |bytes: &[u8], label: &str| {
            let content = decode(bytes, TextEncoding::named(label)).unwrap();
            (String::from_utf8(content.bytes.into_owned()).unwrap(), content.passed_over.len())
        };
        assert_eq!(read(b"s\xfc\xdf,a\n", "latin1"), ("süß,a\n".to_owned(), 0));
        assert_eq!(read(b"\x93x\x94", "windows-1252"), ("“x”".to_owned(), 0));
        assert_eq!(read(b"\x83e\x83X\x83g", "shift_jis"), ("テスト".to_owned(), 0));
        assert_eq!(read(b"s\xfc,a", "utf-8"), ("s\u{fffd},a".to_owned(), 1));
    }

    #[test]
    fn a_single_zero_is_passed_over_and_said() {
        let long = format!("text,label\ngo\0od,a\n{}", "fine words,b\n".repeat(20));
        let content = decode(long.as_bytes(), None).unwrap();
        assert_eq!(content.passed_over, [(Some(2), "a NUL byte is passed over".to_owned())]);
        assert_eq!(content.bytes.as_ref(), long.replace('\0', "").as_bytes());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(decode(&[0, 1, 2, 0, 3, 0, 0, 4], None).is_err());
        assert!(decode(b"\xff\xfea\0b", None).is_err(), "half a unit");
        assert!(decode(b"\xff\xfe\x00\xd8a\0", None).is_err(), "half a pair");
    }
}
