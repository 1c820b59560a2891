//! Numbers as people read them: short, with their units; and how their sentences begin.

/// `text` as the beginning of a sentence.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// 4.7 MB.
pub fn bytes(count: u64) -> String {
    short(count as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// 2.22 M.
pub fn count(count: usize) -> String {
    short(count as f64, &["", "k", "M", "G"]).trim_end().to_string()
}

/// 8,640: every digit, in threes.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let threes: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
    threes.join(",")
}

/// With a true minus sign: −0.22.
pub fn signed(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('-', "\u{2212}")
}

/// A measured value, to four digits or to the whole: 3.142, 1986, −0.05, 1.5e30.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        let text = format!("{value:.3e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
    } else {
        let digits = if size >= 1000.0 || size == 0.0 { 0 } else { 3 - size.log10().floor() as i32 };
        let text = format!("{value:.0$}", digits.clamp(0, 8) as usize);
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    text.replace('-', "\u{2212}")
}

fn short(mut value: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {}", units[unit])
}

/// 2 min 10 s.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.001 => "< 1 ms".to_string(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 59.5 => format!("{whole} s"),
        s if s < 3600.0 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_times_human() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        check(bytes(999), "999 B");
        check(bytes(4_700_000), "4.70 MB");
        check(bytes(38_700_000), "38.7 MB");
        check(bytes(999_900_000), "1.00 GB");
        check(count(928), "928");
        check(count(2_223_872), "2.22 M");
        check(grouped(8_640), "8,640");
        check(grouped(2_223_872), "2,223,872");
        check(grouped(12), "12");
        check(number(0.0), "0");
        check(number(1986.0), "1986");
        check(number(1234.56), "1235");
        check(number(0.1 + 0.2), "0.3");
        check(number(-12.3456), "\u{2212}12.35");
        check(number(999.99), "1000");
        check(number(0.000_123_456), "0.0001235");
        check(number(1.5e30), "1.5e30");
        check(number(-2e-9), "\u{2212}2e\u{2212}9");
        check(signed(-0.2249, 2), "\u{2212}0.22");
        check(duration(0.0002), "< 1 ms");
        check(duration(0.25), "250 ms");
        check(duration(9.84), "9.8 s");
        check(duration(44.02), "44 s");
        check(duration(59.7), "1 min 0 s");
        check(duration(130.2), "2 min 10 s");
        check(duration(7_260.0), "2 h 1 min");
    }
}
