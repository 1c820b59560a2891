//! Layers with a fast forward and backward on Candle.
