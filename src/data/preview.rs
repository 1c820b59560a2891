//! A small picture of a sample.

/// Pixels of RGBA, `[height, width, 4]`, and what they were made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub width: usize,
    pub height: usize,
    pub rgba: Vec<u8>,
    pub source: Source,
}

/// The file that a preview was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub width: usize,
    pub height: usize,
    pub bytes: u64,
}
