//! Rows of packed samples -> numbers.

use half::f16;

use super::directory::Order;
use super::layout::{Layout, Part, Predictor, SampleFormat};

/// Where the samples of a row go.
pub(super) struct Spread {
    pub first: usize,
    pub step: usize,
    pub count: usize,
}

impl Spread {
    fn fill<T>(&self, all: &mut [T], values: impl Iterator<Item = T>) {
        let places = all.get_mut(self.first..).unwrap_or_default().iter_mut().step_by(self.step.max(1));
        places.take(self.count).zip(values).for_each(|(place, value)| *place = value);
    }
}

/// Samples of up to eight bits.
pub(super) fn bytes(row: &[u8], layout: &Layout, spread: &Spread, all: &mut [u8]) {
    match layout.bits {
        8 => spread.fill(all, row.iter().copied()),
        bits => spread.fill(all, packed(row, bits).map(|value| value as u8)),
    }
}

/// Samples of up to sixteen bits.
pub(super) fn words(row: &[u8], layout: &Layout, spread: &Spread, all: &mut [u16]) {
    match layout.bits {
        16 => spread.fill(all, row.chunks_exact(2).map(|pair| layout.order.number(pair) as u16)),
        bits => spread.fill(all, packed(row, bits).map(|value| value as u16)),
    }
}

/// Samples of any other kind.
pub(super) fn floats(row: &[u8], layout: &Layout, spread: &Spread, all: &mut [f32]) {
    let (bits, order) = (layout.bits, layout.order);
    let wide = |row: &[u8]| -> Vec<u64> {
        match bits {
            8 | 16 | 24 | 32 | 64 => row.chunks_exact(bits / 8).map(|value| order.number(value)).collect(),
            bits => packed(row, bits).collect(),
        }
    };
    let signed = |value: u64| {
        let unused = 64 - bits as u32;
        ((value << unused) as i64 >> unused) as f32
    };
    let values = wide(row).into_iter();
    match (layout.format, bits) {
        (SampleFormat::Float, 16) => {
            spread.fill(all, values.map(|value| f16::from_bits(value as u16).to_f32()))
        }
        (SampleFormat::Float, 64) => spread.fill(all, values.map(|value| f64::from_bits(value) as f32)),
        (SampleFormat::Float, _) => spread.fill(all, values.map(|value| f32::from_bits(value as u32))),
        (SampleFormat::Signed, _) => spread.fill(all, values.map(signed)),
        (SampleFormat::Unsigned, _) => spread.fill(all, values.map(|value| value as f32)),
    }
}

/// Numbers of `bits` bits one after another, the highest bit first.
fn packed(row: &[u8], bits: usize) -> impl Iterator<Item = u64> + '_ {
    (0..row.len() * 8 / bits).map(move |number| {
        let (start, end) = (number * bits, (number + 1) * bits);
        let touched = row.get(start / 8..end.div_ceil(8)).unwrap_or_default();
        let word = touched.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        word >> (touched.len() * 8 - (end - start / 8 * 8)) & ((1 << bits) - 1)
    })
}

/// Makes a row of differences a row of values. TIFF 6.0, section 14; Adobe's technical note 3 for floats.
pub(super) fn undo_predictor(row: &mut [u8], layout: &Layout, samples: usize) {
    match layout.predictor {
        Predictor::Absent => {}
        Predictor::Horizontal => sum_up(row, layout.bits / 8, samples, layout.order),
        Predictor::Float => {
            let width = layout.bits / 8;
            sum_up(row, 1, samples, Order::Little);
            let parted = row.to_vec();
            let count = row.len() / width.max(1);
            for (number, value) in row.chunks_exact_mut(width.max(1)).enumerate() {
                // Ranks lie apart, the highest first.
                let byte = |rank: usize| parted.get(rank * count + number).copied().unwrap_or(0);
                for (at, place) in value.iter_mut().enumerate() {
                    *place = match layout.order {
                        Order::Big => byte(at),
                        Order::Little => byte(width - 1 - at),
                    };
                }
            }
        }
    }
}

/// Adds to each number of `width` bytes the one `step` numbers before it.
fn sum_up(row: &mut [u8], width: usize, step: usize, order: Order) {
    let back = width * step;
    if width == 1 {
        for at in back..row.len() {
            row[at] = row[at].wrapping_add(row[at - back]);
        }
        return;
    }
    let mut at = back;
    while at + width <= row.len() {
        let number = |start: usize| order.number(&row[start..start + width]);
        let sum = number(at).wrapping_add(number(at - back));
        let bytes = match order {
            Order::Little => sum.to_le_bytes(),
            Order::Big => (sum << (64 - 8 * width)).to_be_bytes(),
        };
        row[at..at + width].copy_from_slice(&bytes[..width]);
        at += width;
    }
}

/// Blocks of brightness with a shared pair of colour differences -> three samples for each pixel. TIFF 6.0, section 21.
pub(super) fn full_colours(content: &[u8], part: &Part, (across, down): (usize, usize)) -> Vec<u8> {
    let block = across * down + 2;
    let blocks = part.columns.div_ceil(across);
    let mut pixels = vec![0; part.columns * part.rows * 3];
    for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (column, row) = (at % part.columns, at / part.columns);
        let start = (row / down * blocks + column / across) * block;
        let bright = start + row % down * across + column % across;
        let byte = |at: usize| content.get(at).copied().unwrap_or(0);
        pixel.copy_from_slice(&[byte(bright), byte(start + block - 2), byte(start + block - 1)]);
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_cross_bytes() {
        let numbers = |row: &[u8], bits| packed(row, bits).collect::<Vec<u64>>();
        assert_eq!(numbers(&[0xab, 0xcd, 0xef], 12), [0xabc, 0xdef]);
        assert_eq!(numbers(&[0b1010_0101], 1), [1, 0, 1, 0, 0, 1, 0, 1]);
        assert_eq!(numbers(&[0x12], 4), [1, 2]);
        assert_eq!(numbers(&[0xff, 0x80, 0x00], 9), [0x1ff, 0]);
    }

    #[test]
    fn differences_add_up_in_both_orders() {
        let mut row = [1, 0, 2, 0, 255, 255];
        sum_up(&mut row, 2, 1, Order::Little);
        assert_eq!(row, [1, 0, 3, 0, 2, 0]);
        let mut row = [0, 1, 0, 2, 255, 255];
        sum_up(&mut row, 2, 1, Order::Big);
        assert_eq!(row, [0, 1, 0, 3, 0, 2]);
        let mut row = [10, 20, 1, 2];
        sum_up(&mut row, 1, 2, Order::Little);
        assert_eq!(row, [10, 20, 11, 22]);
    }
}
