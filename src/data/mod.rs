//! Files on disk become labelled samples, and samples become tensors.
