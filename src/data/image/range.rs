//! Which values are black and white where a file does not say: samples of more than eight bits -> eight.

use super::fault::Note;
use crate::units::grouped;

/// How samples become bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Range {
    /// The higher bits of a whole number count.
    Shift(u32),
    /// This value is white, 0 is black.
    White(f32),
}

impl Range {
    /// A whole number of at most 16 bits as a byte.
    pub fn word(self, value: u16) -> u8 {
        match self {
            Range::Shift(bits) => (value >> bits).min(255) as u8,
            Range::White(_) => self.float(f32::from(value)),
        }
    }

    /// Any number as a byte; what is none is black.
    pub fn float(self, value: f32) -> u8 {
        match self {
            // The cast saturates, and takes NaN for 0.
            Range::Shift(bits) => (value / (1u64 << bits) as f32) as u8,
            Range::White(white) => (value.clamp(0.0, white) / white * 255.0).round() as u8,
        }
    }
}

/// Twelve bits lie within sixteen where no value needs more: microscopes and other instruments write them so.
pub(super) fn of_words(values: impl Iterator<Item = u16>, bits: u32) -> (Range, Vec<Note>) {
    let highest = values.max().unwrap_or(0);
    match (bits, highest) {
        (16, 1..=4095) => {
            let reason = format!(
                "none of its 16 bits a value goes beyond 4,095 (the highest is {}), so they are read as 12 bits",
                grouped(usize::from(highest))
            );
            (Range::Shift(4), vec![assumed(reason, "65,535")])
        }
        (bits, _) => (Range::Shift(bits - 8), Vec::new()),
    }
}

/// Floats and large whole numbers have no usual white. It is told from the highest value, or not at all.
///
/// # Errors
///
/// With what the values are, where nothing tells.
pub(super) fn of_floats(
    values: impl Iterator<Item = f32>,
    kind: FloatKind,
) -> Result<(Range, Vec<Note>), String> {
    let (mut lowest, mut highest) = (0.0f32, 0.0f32);
    for value in values.filter(|value| value.is_finite()) {
        (lowest, highest) = (lowest.min(value), highest.max(value));
    }
    let words = kind.words();
    let told = |white: f32, shift: u32| {
        let reason =
            format!("its {words} go up to {}, so they are read as 0 to {}", said(highest), said(white));
        (Range::Shift(shift), vec![assumed(reason, &said(kind.usual_white()))])
    };
    let (range, mut notes) = match (kind, highest) {
        (_, 0.0) => (Range::Shift(0), Vec::new()),
        (FloatKind::Float, ..=1.0) => (Range::White(1.0), Vec::new()),
        (FloatKind::Float, ..=2.0) => {
            let reason = format!("its {words} go up to {}; what is above 1 counts as 1", said(highest));
            (Range::White(1.0), vec![assumed(reason, "1")])
        }
        (FloatKind::Float | FloatKind::Whole(_), ..=255.0) => told(255.0, 0),
        (FloatKind::Float | FloatKind::Whole(_), ..=4095.0) => told(4095.0, 4),
        (FloatKind::Whole(bits), _) if highest >= 2f32.powi(bits as i32 - 5) => {
            (Range::Shift(bits - 8), Vec::new())
        }
        (FloatKind::Float | FloatKind::Whole(_), ..=65535.0) => told(65535.0, 8),
        (FloatKind::Float | FloatKind::Whole(_), _) => {
            return Err(format!("{words} up to {}, of which nothing says which is white", said(highest)));
        }
    };
    if lowest < 0.0 {
        let reason = format!("its {words} go down to {}; what is below 0 counts as 0", said(lowest));
        notes.push(assumed(reason, &said(kind.usual_white())));
    }
    Ok((range, notes))
}

/// What wide samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FloatKind {
    Float,
    /// So many bits above zero.
    Whole(u32),
}

impl FloatKind {
    fn words(self) -> String {
        match self {
            FloatKind::Float => "float values".to_owned(),
            FloatKind::Whole(bits @ (31 | 63 | 15 | 7)) => format!("signed {}-bit values", bits + 1),
            FloatKind::Whole(bits) => format!("{bits}-bit values"),
        }
    }

    fn usual_white(self) -> f32 {
        match self {
            FloatKind::Float => 1.0,
            FloatKind::Whole(bits) => 2f32.powi(bits as i32) - 1.0,
        }
    }
}

fn said(value: f32) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true if value < 0.0 => format!("−{}", grouped(-value as usize)),
        true => grouped(value as usize),
        false => format!("{value:.3}").replace('-', "−"),
    }
}

fn assumed(reason: String, white: &str) -> Note {
    let remedy = format!(
        "Nothing needs to be done if that is right; if not, save it with 0 for black and {white} for white."
    );
    Note { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bits_in_sixteen_are_scaled_and_said() {
        let check = |highest: u16, range, notes: usize| {
            let (found, said) = of_words([0, highest].into_iter(), 16);
            assert_eq!((found, said.len()), (range, notes), "{highest}");
        };
        check(65535, Range::Shift(8), 0);
        check(4096, Range::Shift(8), 0);
        check(4095, Range::Shift(4), 1);
        check(0, Range::Shift(8), 0);
        assert_eq!(Range::Shift(4).word(4095), 255);
        assert_eq!(of_words([4095].into_iter(), 12), (Range::Shift(4), Vec::new()));
    }

    #[test]
    fn the_white_of_wide_values_is_told_by_the_highest() {
        let check = |values: &[f32], kind, expected: Option<(Range, usize)>| {
            let found = of_floats(values.iter().copied(), kind).ok();
            assert_eq!(found.map(|(range, notes)| (range, notes.len())), expected, "{values:?}");
        };
        let float = FloatKind::Float;
        check(&[0.0, 0.5], float, Some((Range::White(1.0), 0)));
        check(&[0.0, 1.5], float, Some((Range::White(1.0), 1)));
        check(&[-0.5, 0.5], float, Some((Range::White(1.0), 1)));
        check(&[f32::NAN, f32::INFINITY, 200.0], float, Some((Range::Shift(0), 1)));
        check(&[4000.0], float, Some((Range::Shift(4), 1)));
        check(&[60_000.0], float, Some((Range::Shift(8), 1)));
        check(&[70_000.0], float, None);
        check(&[0.0], float, Some((Range::Shift(0), 0)));
        check(&[200.0], FloatKind::Whole(32), Some((Range::Shift(0), 1)));
        check(&[4e9], FloatKind::Whole(32), Some((Range::Shift(24), 0)));
        check(&[1e6], FloatKind::Whole(32), None);
        check(&[30_000.0], FloatKind::Whole(15), Some((Range::Shift(7), 0)));
        check(&[-1000.0, 3000.0], FloatKind::Whole(15), Some((Range::Shift(4), 2)));
    }

    #[test]
    fn numbers_become_bytes() {
        let unit = Range::White(1.0);
        assert_eq!([0.0, 0.5, 1.0, 7.0, -1.0].map(|v| unit.float(v)), [0, 128, 255, 255, 0]);
        assert_eq!(unit.float(f32::NAN), 0);
        assert_eq!([255.0, 256.0, -3.0, f32::NAN].map(|v| Range::Shift(0).float(v)), [255, 255, 0, 0]);
        assert_eq!(Range::Shift(24).float(4_294_967_295.0), 255);
    }
}
