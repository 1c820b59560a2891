//! Of a long curve what can be seen of it.

use std::ops::RangeInclusive;

/// The points of `curve` (ascending x) that a plot `columns` pixels wide needs to show it over `visible`: of every
/// pixel's points the first, the lowest, the highest and the last, so that no spike is lost. What lies outside is kept
/// as coarsely as if the whole curve were shown. Short curves stay as they are.
pub fn thinned(curve: &[[f64; 2]], visible: RangeInclusive<f64>, columns: usize) -> Vec<[f64; 2]> {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return Vec::new() };
    if curve.len() <= 2 * columns {
        return curve.to_vec();
    }
    let width = |low: f64, high: f64| ((high - low) / columns.max(1) as f64).max(f64::MIN_POSITIVE);
    let (fine, coarse) = (width(*visible.start(), *visible.end()), width(first[0], last[0]));
    let column = |point: &[f64; 2]| match visible.contains(&point[0]) {
        true => (true, ((point[0] - visible.start()) / fine) as i64),
        false => (false, ((point[0] - first[0]) / coarse) as i64),
    };
    let mut kept = Vec::with_capacity(4 * columns);
    for points in curve.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &(usize, &[f64; 2]), b: &(usize, &[f64; 2])| a.1[1].total_cmp(&b.1[1]);
        let lowest = points.iter().enumerate().min_by(by_height).map_or(0, |(place, _)| place);
        let highest = points.iter().enumerate().max_by(by_height).map_or(0, |(place, _)| place);
        let mut places = [0, lowest, highest, points.len() - 1];
        places.sort_unstable();
        for (number, place) in places.iter().enumerate() {
            if number == 0 || places[number - 1] != *place {
                kept.push(points[*place]);
            }
        }
    }
    kept
}

/// The height of `curve` (ascending x) at `x`, between two points on the straight line; `None` beyond its ends.
pub fn value_at(curve: &[[f64; 2]], x: f64) -> Option<f64> {
    let after = curve.partition_point(|point| point[0] < x);
    let [right, high] = *curve.get(after)?;
    if right == x {
        return Some(high);
    }
    let [left, low] = *curve.get(after.checked_sub(1)?)?;
    Some(low + (high - low) * (x - left) / (right - left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_a_height_between_its_points() {
        let curve = [[1.0, 10.0], [2.0, 20.0], [4.0, 0.0]];
        let heights = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.1].map(|x| value_at(&curve, x));
        let expected = [None, Some(10.0), Some(15.0), Some(20.0), Some(10.0), Some(0.0), None];
        assert_eq!(heights, expected);
        assert_eq!((value_at(&[], 1.0), value_at(&curve, f64::NAN)), (None, None));
    }

    fn curve(points: usize) -> Vec<[f64; 2]> {
        (0..points).map(|n| [n as f64 / 100.0, (n as f64 / 50.0).sin()]).collect()
    }

    #[test]
    fn spikes_ends_and_order_stay() {
        let mut long = curve(40_000);
        (long[12_345][1], long[23_456][1]) = (9.0, -9.0);
        let kept = thinned(&long, 0.0..=400.0, 500);
        assert!(kept.len() <= 4 * 501, "{}", kept.len());
        assert!(kept.contains(&long[12_345]) && kept.contains(&long[23_456]));
        assert_eq!((kept.first(), kept.last()), (long.first(), long.last()));
        assert!(kept.windows(2).all(|pair| pair[0][0] < pair[1][0]));
    }

    #[test]
    fn a_close_look_shows_every_point() {
        let long = curve(40_000);
        let kept = thinned(&long, 100.0..=101.0, 500);
        let inside = |points: &[[f64; 2]]| points.iter().filter(|p| (100.0..=101.0).contains(&p[0])).count();
        assert_eq!(inside(&kept), inside(&long));
        assert!(kept.len() < 3000, "{}", kept.len());
    }

    #[test]
    fn odd_curves_and_ranges_do_no_harm() {
        assert!(thinned(&[], 0.0..=1.0, 10).is_empty());
        assert_eq!(thinned(&curve(5), 0.0..=1.0, 10), curve(5));
        let same_place = vec![[1.0, f64::NAN]; 100];
        assert!(!thinned(&same_place, 1.0..=1.0, 10).is_empty());
        assert!(!thinned(&curve(100), f64::INFINITY..=f64::NEG_INFINITY, 10).is_empty());
    }
}
