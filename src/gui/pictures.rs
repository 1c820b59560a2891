//! Thumbnails as textures of the window.

use crate::worker::thumbnails::{Source, Thumbnails};
use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Textures that are kept; those not asked for longest go first.
const KEPT: usize = 600;

/// Gives textures of sample files.
pub struct Pictures {
    thumbnails: Thumbnails,
    textures: HashMap<PathBuf, Kept>,
    clock: u64,
    /// Asked for and not there yet, since the last call of [`Self::is_loading`].
    missing: bool,
}

/// A texture and what it was made of.
struct Kept {
    texture: TextureHandle,
    source: Source,
    /// On the clock of [`Pictures`].
    used: u64,
}

/// A picture, or why there is none.
pub enum Picture {
    Ready(TextureHandle),
    Loading,
    Unreadable,
}

impl Pictures {
    /// No texture yet; `thumbnails` decodes what is asked for.
    pub fn new(thumbnails: Thumbnails) -> Self {
        Self { thumbnails, textures: HashMap::new(), clock: 0, missing: false }
    }

    /// Whether a picture was still missing since the last call.
    pub fn is_loading(&mut self) -> bool {
        std::mem::take(&mut self.missing)
    }

    /// Size of the file behind a picture that is there.
    pub fn source(&self, path: &Path) -> Option<Source> {
        self.textures.get(path).map(|kept| kept.source)
    }

    /// The picture of a file; it is decoded elsewhere and comes in a later frame.
    pub fn get(&mut self, context: &Context, path: &Path) -> Picture {
        self.clock += 1;
        if let Some(kept) = self.textures.get_mut(path) {
            kept.used = self.clock;
            return Picture::Ready(kept.texture.clone());
        }
        let thumbnail = match self.thumbnails.get(path) {
            None => {
                self.missing = true;
                return Picture::Loading;
            }
            Some(None) => return Picture::Unreadable,
            Some(Some(thumbnail)) => thumbnail,
        };
        // Opaque, so the same as unmultiplied, and a plain copy.
        let image = ColorImage::from_rgba_premultiplied([thumbnail.width, thumbnail.height], &thumbnail.rgba);
        let texture = context.load_texture(path.to_string_lossy(), image, TextureOptions::LINEAR);
        let kept = Kept { texture: texture.clone(), source: thumbnail.source, used: self.clock };
        self.textures.insert(path.to_path_buf(), kept);
        if self.textures.len() > KEPT {
            let oldest = self.textures.iter().min_by_key(|(_, kept)| kept.used).map(|(path, _)| path.clone());
            oldest.and_then(|path| self.textures.remove(&path));
        }
        Picture::Ready(texture)
    }
}
