//! Paints what egui draws, on the processor: the same picture on every machine, without a display or a driver.

use eframe::egui::{
    self, Color32, ColorImage, ImageData, TextureFilter, TextureId, TexturesDelta,
    epaint::{ClippedPrimitive, Mesh, Primitive, Vertex},
};
use egui_kittest::TestRenderer;
use image::RgbaImage;
use std::collections::HashMap;

/// Textures that egui has handed over, and how each is sampled.
#[derive(Default)]
pub struct Raster {
    textures: HashMap<TextureId, (ColorImage, TextureFilter)>,
}

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in &delta.set {
            for change in changes {
                let ImageData::Color(image) = &change.image;
                match (change.pos, self.textures.get_mut(id)) {
                    (Some([left, top]), Some((whole, _))) => patch(whole, image, left, top),
                    _ => {
                        let filter = change.options.magnification;
                        self.textures.insert(*id, (image.as_ref().clone(), filter));
                    }
                }
            }
        }
        for id in &delta.free {
            self.textures.remove(id);
        }
        delta.clear();
    }

    fn render(&mut self, context: &egui::Context, output: &egui::FullOutput) -> Result<RgbaImage, String> {
        let scale = output.pixels_per_point;
        let size = context.content_rect().size() * scale;
        let mut target = Target::new(size.x.round() as usize, size.y.round() as usize);
        for ClippedPrimitive { clip_rect, primitive } in context.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = primitive else { continue };
            let texture = self.textures.get(&mesh.texture_id).ok_or("a mesh without its texture")?;
            target.clip = [
                ((clip_rect.min.x * scale).round().max(0.0)) as usize,
                ((clip_rect.min.y * scale).round().max(0.0)) as usize,
                ((clip_rect.max.x * scale).round().max(0.0) as usize).min(target.width),
                ((clip_rect.max.y * scale).round().max(0.0) as usize).min(target.height),
            ];
            target.mesh(&mesh, texture, scale);
        }
        RgbaImage::from_raw(target.width as u32, target.height as u32, target.bytes())
            .ok_or_else(|| "an empty picture".to_string())
    }
}

fn patch(whole: &mut ColorImage, part: &ColorImage, left: usize, top: usize) {
    let [width, height] = part.size;
    for y in 0..height {
        let at = (top + y) * whole.size[0] + left;
        whole.pixels[at..at + width].copy_from_slice(&part.pixels[y * width..(y + 1) * width]);
    }
}

/// The picture: premultiplied colours in gamma space, which is where egui blends.
struct Target {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
    /// Left, top, right, bottom.
    clip: [usize; 4],
}

impl Target {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0, 0.0, 0.0, 255.0]; width * height], clip: [0; 4] }
    }

    fn bytes(&self) -> Vec<u8> {
        self.pixels.iter().flatten().map(|v| v.round().clamp(0.0, 255.0) as u8).collect()
    }

    fn mesh(&mut self, mesh: &Mesh, texture: &(ColorImage, TextureFilter), scale: f32) {
        for corners in mesh.triangles() {
            self.triangle(corners.map(|n| mesh.vertices[n as usize]), texture, scale);
        }
    }

    /// Every pixel whose centre lies inside; of two triangles that share an edge only one covers a centre on it.
    fn triangle(&mut self, corners: [Vertex; 3], texture: &(ColorImage, TextureFilter), scale: f32) {
        let p = corners.map(|v| [f64::from(v.pos.x * scale), f64::from(v.pos.y * scale)]);
        let area = edge(p[0], p[1], p[2]);
        if area == 0.0 {
            return;
        }
        let span = |axis: usize, low: usize, high: usize| {
            let values = p.map(|corner| corner[axis]);
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (min, max) = (min.floor().max(low as f64), max.ceil().min(high as f64));
            min as usize..(max.max(min)) as usize
        };
        let [left, top, right, bottom] = self.clip;
        let columns = span(0, left, right);
        for y in span(1, top, bottom) {
            for x in columns.clone() {
                let centre = [x as f64 + 0.5, y as f64 + 0.5];
                let w = [(1, 2), (2, 0), (0, 1)].map(|(a, b)| edge(p[a], p[b], centre) / area);
                let owned = |n: usize| {
                    let (a, b) = [(1, 2), (2, 0), (0, 1)][n];
                    w[n] > 0.0 || (w[n] == 0.0 && owns_edge(p[a], p[b], area))
                };
                if (0..3).all(owned) {
                    self.blend(y * self.width + x, colour_at(&corners, w, texture));
                }
            }
        }
    }

    fn blend(&mut self, at: usize, over: [f32; 4]) {
        let rest = 1.0 - over[3] / 255.0;
        for (below, above) in self.pixels[at].iter_mut().zip(over) {
            *below = above + *below * rest;
        }
    }
}

/// Twice the signed area of a triangle.
fn edge(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

fn owns_edge(a: [f64; 2], b: [f64; 2], area: f64) -> bool {
    let (dx, dy) = if area > 0.0 { (b[0] - a[0], b[1] - a[1]) } else { (a[0] - b[0], a[1] - b[1]) };
    dy < 0.0 || (dy == 0.0 && dx > 0.0)
}

/// Vertex colour times texel.
fn colour_at(corners: &[Vertex; 3], w: [f64; 3], texture: &(ColorImage, TextureFilter)) -> [f32; 4] {
    let mixed = |value: &dyn Fn(&Vertex) -> f32| -> f32 {
        corners.iter().zip(w).map(|(corner, share)| f64::from(value(corner)) * share).sum::<f64>() as f32
    };
    let texel = sample(texture, mixed(&|v| v.uv.x), mixed(&|v| v.uv.y));
    let mut colour = [0.0; 4];
    for (channel, out) in colour.iter_mut().enumerate() {
        *out = mixed(&|v| f32::from(v.color.to_array()[channel])) * texel[channel] / 255.0;
    }
    colour
}

fn sample((image, filter): &(ColorImage, TextureFilter), u: f32, v: f32) -> [f32; 4] {
    let [width, height] = image.size;
    let at = |x: i64, y: i64| -> [f32; 4] {
        let x = x.clamp(0, width as i64 - 1) as usize;
        let y = y.clamp(0, height as i64 - 1) as usize;
        let colour: Color32 = image.pixels[y * width + x];
        colour.to_array().map(f32::from)
    };
    let (x, y) = (u * width as f32, v * height as f32);
    if *filter == TextureFilter::Nearest {
        return at(x.floor() as i64, y.floor() as i64);
    }
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let (left, top) = (left as i64, top as i64);
    let mut colour = [0.0; 4];
    for (dx, dy, share) in [
        (0, 0, (1.0 - right) * (1.0 - down)),
        (1, 0, right * (1.0 - down)),
        (0, 1, (1.0 - right) * down),
        (1, 1, right * down),
    ] {
        for (out, texel) in colour.iter_mut().zip(at(left + dx, top + dy)) {
            *out += share * texel;
        }
    }
    colour
}
