//! A linear rise, then half a cosine down to zero (Loshchilov and Hutter 2017).

use super::super::rule::Named;
use super::super::schedule::{Course, Schedule};
use std::f64::consts::PI;

/// Falls slowly, then quickly, then slowly.
#[derive(Debug, Clone, Copy)]
pub struct Cosine;

impl Named for Cosine {
    fn key(&self) -> &'static str {
        "cosine"
    }

    fn name(&self) -> &'static str {
        "Cosine"
    }
}

impl Schedule for Cosine {
    fn shape(&self) -> &'static str {
        "a linear rise, then half a cosine down to zero"
    }

    fn factor(&self, step: u64, course: &Course) -> f64 {
        course.rise(step).unwrap_or_else(|| 0.5 * (1.0 + (PI * course.done(step)).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let course = Course::new(100, 0.1);
        let factor = |step| Cosine.factor(step, &course);
        assert!((factor(1) - 0.1).abs() < 1e-12);
        assert_eq!(factor(10), 1.0);
        assert_eq!(factor(11), 1.0);
        assert!(factor(100) < 0.01);
        assert!((11..100).all(|s| factor(s) > factor(s + 1)));
        assert_eq!(Cosine.factor(1, &Course::new(1, 0.0)), 1.0);
        assert_eq!(Cosine.factor(5, &Course::new(5, 1.0)), 1.0);
    }
}
