//! What a whole network is made of besides its backbone: [`samples`] become its input, a [`head`] lies on its features,
//! [`tensors`] that training changed lie in files of ours.

pub mod head;
pub mod samples;
pub mod tensors;
