//! Colours, type and spacing. No other file names a colour, a font size or a distance.

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke, Style, TextStyle,
    Theme,
};
use std::sync::Arc;

/// Colours of one theme. Ice is frozen, validation and the primary action; ember is thawed, training and wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tokens {
    pub window: Color32,
    pub panel: Color32,
    pub raised: Color32,
    pub line: Color32,
    pub text: Color32,
    pub dim: Color32,
    pub faint: Color32,
    pub ice: Color32,
    pub ice_ground: Color32,
    pub on_ice: Color32,
    pub ember: Color32,
    pub ember_ground: Color32,
    pub ok: Color32,
    pub warning: Color32,
    pub error: Color32,
    /// Colours of classes; never ice or ember.
    pub classes: [Color32; 9],
}

/// The dark theme.
pub const DARK: Tokens = Tokens {
    window: rgb(0x10151b),
    panel: rgb(0x161d25),
    raised: rgb(0x1d2630),
    line: rgb(0x2a3642),
    text: rgb(0xe8eef4),
    dim: rgb(0x93a4b5),
    faint: rgb(0x8193a4),
    ice: rgb(0x63c7ff),
    ice_ground: rgb(0x16344a),
    on_ice: rgb(0x08131c),
    ember: rgb(0xff9255),
    ember_ground: rgb(0x472a1b),
    ok: rgb(0x4fc98f),
    warning: rgb(0xe6b95c),
    error: rgb(0xf0616d),
    classes: [
        rgb(0xc79bff),
        rgb(0x4fc98f),
        rgb(0xe6c84f),
        rgb(0xff8fb1),
        rgb(0x3fb8a8),
        rgb(0xb8c26a),
        rgb(0x8f9dff),
        rgb(0xd9a38f),
        rgb(0xa3b8c2),
    ],
};

/// The light theme.
pub const LIGHT: Tokens = Tokens {
    window: rgb(0xf3f6f9),
    panel: rgb(0xffffff),
    raised: rgb(0xf7f9fb),
    line: rgb(0xd8e0e8),
    text: rgb(0x17212b),
    dim: rgb(0x55677a),
    faint: rgb(0x5f7081),
    ice: rgb(0x0a6297),
    ice_ground: rgb(0xe1f1fb),
    on_ice: rgb(0xffffff),
    ember: rgb(0x9c3f0a),
    ember_ground: rgb(0xfdeadd),
    ok: rgb(0x126b44),
    warning: rgb(0x7d5600),
    error: rgb(0xc42f3f),
    classes: [
        rgb(0x7a3fd1),
        rgb(0x126b44),
        rgb(0x7a6200),
        rgb(0xb02a5b),
        rgb(0x0b6b60),
        rgb(0x5c6614),
        rgb(0x3c4bd0),
        rgb(0x8f4a30),
        rgb(0x4a6470),
    ],
};

/// Between neighbours. This and the lengths below are in egui's points: pixels of a screen of usual density.
pub const SPACE: f32 = 8.0;
/// Between things that do not belong together.
pub const GAP: f32 = 16.0;
/// Left and right of a page.
pub const MARGIN: f32 = 24.0;
/// The least height of a button or field.
pub const CONTROL_HEIGHT: f32 = 30.0;
/// A line of text in a list of facts.
pub const LINE: f32 = 20.0;
/// Height of a row of the layer tree.
pub const TREE_ROW: f32 = 27.0;
/// Height of a row of a table.
pub const TABLE_ROW: f32 = 30.0;
/// Height of the bar at the top: project, undo, device, theme.
pub const TOP_BAR: f32 = 44.0;
/// Height of the bar at the bottom: the running job.
pub const BOTTOM_BAR: f32 = 40.0;
/// Width of the list of steps on the left.
pub const RAIL: f32 = 148.0;
/// Width of the inspector on the right until it is dragged.
pub const INSPECTOR: f32 = 296.0;
/// Corner radius of a button, a field or an entry of the rail.
pub const CONTROL_CORNER: u8 = 6;
/// Corner radius of a card or message.
pub const CARD_CORNER: u8 = 8;
/// Corner radius of a place for dropped files.
pub const DROP_CORNER: u8 = 12;

/// Icons of the Phosphor font.
pub mod icon {
    /// Frozen, the frostline, and the program itself.
    pub const SNOWFLAKE: &str = "\u{e5aa}";
    /// Thawed.
    pub const FLAME: &str = "\u{e242}";
    /// The step Data.
    pub const IMAGES: &str = "\u{e836}";
    /// The step Backbone.
    pub const CUBE: &str = "\u{e1da}";
    /// The step Layers, and a group frozen in part.
    pub const STACK: &str = "\u{e466}";
    /// The step Train.
    pub const CHART: &str = "\u{e154}";
    /// The step Evaluate.
    pub const TARGET: &str = "\u{e47c}";
    /// The step Try, and going on with a paused job.
    pub const PLAY: &str = "\u{e3d0}";
    /// The step Export.
    pub const EXPORT: &str = "\u{eaf0}";
    /// Takes the last change back.
    pub const UNDO: &str = "\u{e08a}";
    /// Makes the change again that was taken back.
    pub const REDO: &str = "\u{e08c}";
    /// Changes to the next theme.
    pub const THEME: &str = "\u{e18c}";
    /// A step that is done.
    pub const CHECK: &str = "\u{e182}";
    /// Something that needs attention.
    pub const WARNING: &str = "\u{e4e0}";
    /// A message that is no complaint.
    pub const INFO: &str = "\u{e2ce}";
    /// Takes a message away, or stops a download.
    pub const CLOSE: &str = "\u{e4f6}";
    /// Lets a job wait.
    pub const PAUSE: &str = "\u{e39e}";
    /// Ends a job.
    pub const STOP: &str = "\u{e46c}";
    /// A group whose layers are hidden.
    pub const CLOSED: &str = "\u{e13a}";
    /// A group whose layers are shown.
    pub const OPEN: &str = "\u{e136}";
    /// The handle of the frostline.
    pub const DRAG: &str = "\u{e794}";
    /// Shows or hides the inspector.
    pub const SIDEBAR: &str = "\u{ec24}";
    /// Shows or hides the log.
    pub const LOG: &str = "\u{e2f2}";
    /// A message about a failure.
    pub const FAILED: &str = "\u{e4f8}";
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Tokens {
    /// The tokens of the theme that is shown.
    pub fn of(context: &egui::Context) -> &'static Tokens {
        match context.theme() {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }

    /// The colour of class number `class`; they come again after the last: `widgets::class_mark` tells the rounds apart.
    pub fn class(&self, class: usize) -> Color32 {
        self.classes[class % self.classes.len()]
    }
}

/// Semibold text of `size`.
pub fn semibold(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("semibold".into()))
}

/// Page titles.
pub fn title() -> FontId {
    semibold(18.0)
}

/// Section titles.
pub fn section() -> FontId {
    semibold(13.0)
}

/// Large figures.
pub fn figure() -> FontId {
    semibold(16.0)
}

/// Running text.
pub fn body() -> FontId {
    FontId::proportional(13.0)
}

/// Small print, such as the titles of columns.
pub fn caption() -> FontId {
    FontId::proportional(11.0)
}

/// Layer paths and shapes.
pub fn mono() -> FontId {
    FontId::monospace(12.0)
}

/// Icons, never without a word or an accessible name beside them.
pub fn icons(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("icons".into()))
}

/// Loads the fonts and sets both themes.
pub fn install(context: &egui::Context) {
    context.set_fonts(fonts());
    for (theme, tokens) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        context.style_mut_of(theme, |style| apply(style, tokens));
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let bundled: [(&str, &'static [u8]); 4] = [
        ("inter", include_bytes!("../../assets/fonts/Inter-Regular.otf")),
        ("inter-semibold", include_bytes!("../../assets/fonts/Inter-SemiBold.otf")),
        ("jetbrains-mono", include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf")),
        ("phosphor", include_bytes!("../../assets/fonts/Phosphor.ttf")),
    ];
    for (name, bytes) in bundled {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = system_fonts(&mut fonts);
    let family = |first: &str, fonts: &FontDefinitions| {
        let mut names = vec![first.to_string(), "phosphor".to_string()];
        names.extend(fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default());
        names.extend(fallback.clone());
        names
    };
    let (regular, semibold) = (family("inter", &fonts), family("inter-semibold", &fonts));
    let mono = family("jetbrains-mono", &fonts);
    fonts.families.insert(FontFamily::Proportional, regular);
    fonts.families.insert(FontFamily::Name("semibold".into()), semibold);
    fonts.families.insert(FontFamily::Monospace, mono);
    fonts.families.insert(FontFamily::Name("icons".into()), vec!["phosphor".to_string()]);
    fonts
}

/// Fonts of this machine for scripts that Inter lacks; those that are there.
fn system_fonts(fonts: &mut FontDefinitions) -> Vec<String> {
    let places = [
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf",
        "/usr/share/fonts/truetype/noto/NotoSansHebrew-Regular.ttf",
        "/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf",
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/System/Library/Fonts/PingFang.ttc",
        "C:\\Windows\\Fonts\\msyh.ttc",
    ];
    let mut names = Vec::new();
    for place in places {
        if let Ok(bytes) = std::fs::read(place) {
            fonts.font_data.insert(place.into(), Arc::new(FontData::from_owned(bytes)));
            names.push(place.to_string());
        }
    }
    names
}

fn apply(style: &mut Style, tokens: &Tokens) {
    style.text_styles = [
        (TextStyle::Heading, title()),
        (TextStyle::Body, body()),
        (TextStyle::Button, body()),
        (TextStyle::Small, caption()),
        (TextStyle::Monospace, mono()),
    ]
    .into();
    style.animation_time = 0.12;
    style.spacing.item_spacing = egui::vec2(SPACE, SPACE);
    style.spacing.button_padding = egui::vec2(12.0, 6.0);
    style.spacing.interact_size = egui::vec2(CONTROL_HEIGHT, CONTROL_HEIGHT);
    style.spacing.menu_margin = Margin::same(6);
    let visuals = &mut style.visuals;
    visuals.override_text_color = Some(tokens.text);
    visuals.panel_fill = tokens.panel;
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = Stroke::new(1.0, tokens.line);
    visuals.extreme_bg_color = tokens.raised;
    visuals.text_edit_bg_color = Some(tokens.raised);
    visuals.faint_bg_color = tokens.raised;
    visuals.code_bg_color = tokens.raised;
    visuals.weak_text_color = Some(tokens.dim);
    visuals.hyperlink_color = tokens.ice;
    visuals.selection.bg_fill = tokens.ice_ground;
    visuals.selection.stroke = Stroke::new(1.0, tokens.ice);
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.error;
    let corner = CornerRadius::same(CONTROL_CORNER);
    let widgets = &mut visuals.widgets;
    for (widget, fill, edge) in [
        (&mut widgets.noninteractive, tokens.panel, tokens.line),
        (&mut widgets.inactive, tokens.raised, tokens.line),
        (&mut widgets.hovered, tokens.raised, tokens.ice),
        (&mut widgets.active, tokens.ice_ground, tokens.ice),
        (&mut widgets.open, tokens.raised, tokens.ice),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, edge);
        widget.fg_stroke = Stroke::new(1.0, tokens.text);
        widget.corner_radius = corner;
        widget.expansion = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2 relative luminance.
    fn luminance(colour: Color32) -> f64 {
        let channel = |value: u8| {
            let v = f64::from(value) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(colour.r()) + 0.7152 * channel(colour.g()) + 0.0722 * channel(colour.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (light, dark) = (luminance(a).max(luminance(b)), luminance(a).min(luminance(b)));
        (light + 0.05) / (dark + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground() {
        for (name, t) in [("dark", &DARK), ("light", &LIGHT)] {
            let grounds = [t.window, t.panel, t.raised];
            let texts = [t.text, t.dim, t.faint, t.ice, t.ember, t.ok, t.warning, t.error];
            for ground in grounds {
                for text in texts.iter().chain(&t.classes) {
                    let found = contrast(*text, ground);
                    assert!(found >= 4.5, "{name}: {text:?} on {ground:?} has {found:.2}");
                }
            }
            for (text, ground) in [
                (t.on_ice, t.ice),
                (t.ice, t.ice_ground),
                (t.ember, t.ember_ground),
                (t.text, t.ice_ground),
                (t.dim, t.ice_ground),
            ] {
                let found = contrast(text, ground);
                assert!(found >= 4.5, "{name}: {text:?} on {ground:?} has {found:.2}");
            }
        }
    }
}
