//! Where text stands: nothing cut, nothing over something else.

use eframe::egui::{FullOutput, Rect, Shape};

/// Points by which two boxes of text may meet: the boxes are a little larger than the ink.
const TOLERANCE: f32 = 1.5;

/// Every text that is cut at its sides and every two that overlap, in words.
pub fn faults(output: &FullOutput) -> Vec<String> {
    let texts = texts(output);
    assert!(texts.len() > 5, "nothing is shown");
    let mut faults = Vec::new();
    for text in &texts {
        let visible = text.ink.intersect(text.clip);
        let is_seen = visible.width() > TOLERANCE && visible.height() > TOLERANCE;
        let is_cut = text.ink.left() < text.clip.left() - TOLERANCE
            || text.ink.right() > text.clip.right() + TOLERANCE;
        if is_seen && is_cut {
            faults.push(format!("cut: {:?} {:?} in {:?}", text.words, text.ink, text.clip));
        }
    }
    for (number, one) in texts.iter().enumerate() {
        for other in texts[number + 1..].iter().filter(|other| !one.is_ground && !other.is_ground) {
            let meet = one.ink.intersect(one.clip).intersect(other.ink.intersect(other.clip));
            if meet.width() > TOLERANCE && meet.height() > TOLERANCE {
                faults.push(format!("{:?} lies over {:?} at {meet:?}", other.words, one.words));
            }
        }
    }
    faults
}

struct Text {
    words: String,
    /// Where its glyphs are.
    ink: Rect,
    clip: Rect,
    /// A coloured rectangle: it may lie below words, but not be cut.
    is_ground: bool,
}

fn texts(output: &FullOutput) -> Vec<Text> {
    let mut found = Vec::new();
    for clipped in &output.shapes {
        collect(&clipped.shape, clipped.clip_rect, &mut found);
    }
    found
}

fn collect(shape: &Shape, clip: Rect, found: &mut Vec<Text>) {
    match shape {
        // Slanted text is left out: its box says little about its ink.
        Shape::Text(text) if text.angle == 0.0 => {
            for row in &text.galley.rows {
                let ink = row.row.visuals.mesh_bounds.translate(text.pos.to_vec2() + row.pos.to_vec2());
                if ink.width() > 0.0 && clip.intersects(ink) {
                    found.push(Text { words: row.row.text(), ink, clip, is_ground: false });
                }
            }
        }
        // What lies outside wholly is not painted at all, so a ground that is cut at its right end tells of it.
        Shape::Rect(shape)
            if shape.rect.right() > clip.right() + TOLERANCE
                && clip.intersects(shape.rect)
                && (shape.fill.a() > 0 || shape.stroke.width > 0.0) =>
        {
            found.push(Text { words: "a ground".to_string(), ink: shape.rect, clip, is_ground: true });
        }
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, clip, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{self, Align2, Color32, FontId, pos2};

    fn drawn(paint: impl Fn(&egui::Painter)) -> FullOutput {
        let context = egui::Context::default();
        let mut output = FullOutput::default();
        for _ in 0..2 {
            output = context.run_ui(egui::RawInput::default(), |ui| {
                for row in 0..6 {
                    ui.painter().text(
                        pos2(10.0, 200.0 + 30.0 * row as f32),
                        Align2::LEFT_TOP,
                        "row",
                        FontId::default(),
                        Color32::WHITE,
                    );
                }
                paint(ui.painter());
            });
        }
        output
    }

    fn word(painter: &egui::Painter, x: f32, words: &str) {
        painter.text(pos2(x, 50.0), Align2::LEFT_TOP, words, FontId::default(), Color32::WHITE);
    }

    #[test]
    fn words_side_by_side_are_fine() {
        let drawn = drawn(|p| {
            word(p, 10.0, "one");
            word(p, 80.0, "two");
        });
        assert_eq!(faults(&drawn), Vec::<String>::new());
    }

    #[test]
    fn words_over_each_other_are_found() {
        let drawn = drawn(|p| {
            word(p, 10.0, "one");
            word(p, 15.0, "two");
        });
        assert!(faults(&drawn)[0].contains("lies over"));
    }

    #[test]
    fn a_word_that_is_cut_is_found() {
        let clip = Rect::from_min_max(pos2(0.0, 0.0), pos2(30.0, 100.0));
        let drawn = drawn(move |p| word(&p.with_clip_rect(clip), 10.0, "a long word"));
        assert!(faults(&drawn)[0].starts_with("cut"));
    }
}
