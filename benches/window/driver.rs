//! A window without a display: one call is one UI pass, as eframe runs it, up to and including tessellation.

use super::measure::{Took, took};
use eframe::App as _;
use frostline::gui::App;
use frostline::project::Machine;
use frostline::session::{Action, Session};
use frostline::worker::StandIn;
use std::time::{Duration, Instant};

/// Points; at 100 % also pixels.
const SIZE: egui::Vec2 = egui::vec2(1280.0, 800.0);

/// The application with what eframe puts around it.
pub struct Window {
    pub context: egui::Context,
    app: App,
    frame: eframe::Frame,
    began: Instant,
}

/// What one pass took and asked for.
pub struct Pass {
    pub took: Took,
    pub triangles: usize,
    /// When egui wants the next pass; [`Duration::MAX`] for not before something happens.
    pub repaint_after: Duration,
}

impl Window {
    /// Opens it with a worker that asks `stand_in` first.
    pub fn open(stand_in: StandIn) -> Self {
        let context = egui::Context::default();
        let app = App::with_stand_in(&context, Machine::cpu(), stand_in).expect("a thread");
        let frame = eframe::Frame::_new_kittest();
        let mut window = Self { context, app, frame, began: Instant::now() };
        window.wait("backbones", |s| !s.backbones.is_empty());
        window
    }

    pub fn session(&self) -> &Session {
        self.app.session()
    }

    pub fn session_mut(&mut self) -> &mut Session {
        self.app.session_mut()
    }

    /// Does an action and says how long that took.
    pub fn act(&mut self, action: impl Into<Action>) -> Took {
        took(|| self.app.act(&self.context, action)).0
    }

    /// One pass over `events`: logic, ui, tessellation.
    pub fn pass(&mut self, events: Vec<egui::Event>) -> Pass {
        self.accessible_pass(events).0
    }

    /// A pass with what the platform hears of it: with AccessKit on, the tree of widgets.
    pub fn accessible_pass(&mut self, events: Vec<egui::Event>) -> (Pass, egui::PlatformOutput) {
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            max_texture_side: Some(8192),
            time: Some(self.began.elapsed().as_secs_f64()),
            focused: true,
            events,
            ..Default::default()
        };
        let (app, frame) = (&mut self.app, &mut self.frame);
        let context = &self.context;
        let (took, (mut output, primitives)) = took(|| {
            let mut output = context.run_ui(input, |ui| {
                app.logic(ui.ctx(), frame);
                app.ui(ui, frame);
            });
            let shapes = std::mem::take(&mut output.shapes);
            let primitives = context.tessellate(shapes, output.pixels_per_point);
            (output, primitives)
        });
        let triangles = primitives
            .iter()
            .map(|p| match &p.primitive {
                egui::epaint::Primitive::Mesh(mesh) => mesh.indices.len() / 3,
                egui::epaint::Primitive::Callback(_) => 0,
            })
            .sum();
        let platform = std::mem::take(&mut output.platform_output);
        let repaint_after = output.viewport_output.values().map(|v| v.repaint_delay).min();
        output.drop_without_applying_deltas();
        (Pass { took, triangles, repaint_after: repaint_after.unwrap_or(Duration::MAX) }, platform)
    }

    /// Draws until `done` holds.
    pub fn wait(&mut self, what: &str, done: impl Fn(&Session) -> bool) {
        let started = Instant::now();
        while !done(self.session()) {
            let waited = started.elapsed();
            assert!(waited < Duration::from_secs(300), "{what}: {:?}", self.session().log);
            self.pass(Vec::new());
            std::thread::sleep(Duration::from_millis(2));
        }
        for _ in 0..5 {
            self.pass(Vec::new());
        }
    }

    /// The middle of the first widget whose accessible name starts with `name`.
    pub fn place_of(&mut self, name: &str) -> egui::Pos2 {
        self.context.enable_accesskit();
        let (_, platform) = self.accessible_pass(Vec::new());
        self.context.disable_accesskit();
        let nodes = platform.accesskit_update.expect("AccessKit is on").nodes;
        let node = nodes.iter().find(|(_, node)| node.label().is_some_and(|l| l.starts_with(name)));
        let bounds = node.and_then(|(_, node)| node.bounds());
        let bounds = bounds.unwrap_or_else(|| panic!("nothing is called {name:?}"));
        egui::pos2((bounds.x0 + bounds.x1) as f32 / 2.0, (bounds.y0 + bounds.y1) as f32 / 2.0)
    }

    /// Clicks and draws what follows.
    pub fn click(&mut self, place: egui::Pos2) {
        self.pass(vec![egui::Event::PointerMoved(place)]);
        self.pass(vec![button(place, true)]);
        self.pass(vec![button(place, false)]);
        self.pass(Vec::new());
    }
}

/// A press or release of the left button.
pub fn button(pos: egui::Pos2, pressed: bool) -> egui::Event {
    let modifiers = egui::Modifiers::NONE;
    egui::Event::PointerButton { pos, button: egui::PointerButton::Primary, pressed, modifiers }
}

/// A turn of the wheel by `points`; positive ones show what lies above.
pub fn wheel(points: f32) -> egui::Event {
    egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, points),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    }
}

/// Numbers that look random and come again at every start (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// In [0, 1).
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In 0 .. `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.share() * limit as f64) as usize
    }
}
